"""Problems whose answer is a program: what the statement asks for, what an answer holds, and what programs do.

Pure: runs nothing and knows no model. Programs are handed to a `sandbox`, whose Outcomes come back here.
"""
