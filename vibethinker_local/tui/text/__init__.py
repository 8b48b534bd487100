"""Text as rows of cells: Markdown, tables, formulas. Knows of styles, but of no widgets."""
