"""What is a request for a text, and what a problem that has an answer."""

import time

import pytest

from vibethinker_local.events import Exchange
from vibethinker_local.runtime import prompts, prose

TEXTS = [
    "Explain why the sky is blue.",
    "Please explain the difference between a list and a tuple.",
    "Could you describe how photosynthesis works?",
    "Summarize the following text:\n\nThe cat sat on the mat, and the 3 dogs looked on.",
    "Translate into German: The train leaves at 9.",
    "Write a short poem about the sea.",
    "Write me a polite e-mail to my landlord about the broken heating.",
    "Draft a cover letter for a position as a nurse.",
    "Tell me about the French Revolution.",
    "Why do cats purr?",
    "Who was Ada Lovelace?",
    "What's the difference between weather and climate?",
    "Can you help me rewrite this paragraph? It sounds stiff.",
    "Hello!",
    "Translate 'I have 2 dogs' into French.",
    "Please translate into Spanish: I have 2 dogs - and 3 cats.",
    "Rewrite this sentence: We are 3 people.",
    "Write a 200-word essay on the 2 world wars.",
    "Summarize: In 2020 sales rose by 5% of what they were, and the largest of the 3 offices moved.",
    "Explain the 9/11 attacks.",
    "你好！",
    "写一首关于春天的诗",
    "请解释为什么天空是蓝的。",
    "Schreibe einen Brief an meine Tante.",
    "Explique la photosynthèse.",
    "Escribe una carta a mi abuela.",
    "Напиши письмо другу",
    "Explain in 3 sentences why the sky is blue.",
    "Tell me about the war of 1939-1945.",
    "What is the difference between Python 2 and Python 3?",
    "What's the difference between HTTP/1.1 and HTTP/2?",
    "Hi there, can you explain what a fraction is?",
    "How does a refrigerator work?",
    "How do I boil an egg?",
    "Give me some tips for a job interview.",
    "Suggest a name for my cat.",
    "Explain what time dilation is.",
    "Thank you!",
    "Translate into German:\nA: Hello.\nB: Good morning.",
]
PROBLEMS = [
    "Explain how many ways there are to seat 5 people at a round table.",
    "Write a function that returns the sum of a list.",
    "Explain and solve: 3x + 2 = 11",
    "Describe all integers n for which n divides n + 6.",
    "Find all primes p such that p + 2 is prime.",
    "Tom has 3 apples and eats one. How many are left?",
    "What is 7 * 8?",
    "Prove that there are infinitely many primes.",
    "Which is right?\nA) Paris\nB) Rome",
    "Why is $\\sqrt{2}$ irrational?",
    "你好，小明有多少个苹果？",
    "介绍三角形的内角",
    "证明根号二是无理数",
    "写出信号的表达式",
    "写出该信号的表达式",
    "Hallo, was ist die Hälfte von zwölf?",
    "Erkläre, warum die Zahl prim ist.",
    "Explique comment trouver la somme des angles.",
    "Объясни, сколько будет два и два",
    "Explicit formula of the sequence",
    "Translate the point (1, 2) by the vector (3, 4) and compute its distance from the origin.",
    "Write a number that is divisible by 3.",
    "If a train leaves at noon and drives 60 miles an hour, when does it arrive 90 miles away?",
    "Write an expression for the area of a square with side s.",
    "What is the difference between 15 and 8?",
    "What is the difference between twelve and five?",
    "What's the difference between 3/4 and 2/3?",
    "What is the difference between the sum of the first 100 even numbers and that of the first 100 odd numbers?",
    "What is the difference between the largest and the smallest two-digit square?",
    "Hi, what is 17 + 25?",
    "Hello, what is seven times eight?",
    "Hi! Tom has 3 apples and eats one. What is left?",
    "Thanks. What is 12 times 13?",
    "Rewrite 0.75 as a fraction.",
    "Rewrite the number 4500 in scientific notation.",
    "Please explain 12 percent of 50",
    "Explain what 12 times 13 is.",
    "Explain 0.75 as a percentage.",
    "Tell me how 3/4 of 20 is found.",
    "Translate the point (2,3) by the vector (1,-4).",
    "Translate 45 into Roman numerals.",
    "Translate 13 into binary.",
    "Why do cats purr? (A) fear (B) joy (C) hunger (D) cold",
    "Explain what percentage of 80 is 20.",
    "Explain step by step: 25% off a jacket of 80 dollars, what do I pay?",
    "Tell me about the number of ways to choose 2 of 5 people.",
    "Describe in one number: what comes next, 2, 4, 8, 16?",
    "Please explain what day it is 100 days after Monday.",
    "Discuss: If all Bloops are Razzies, are all Razzies Bloops? Answer yes or no.",
    "How do I get from 15 to 45?",
    "Who is the oldest, if Ann is 3 years older than Bob and Bob is 5?",
    "",
]


@pytest.mark.parametrize("statement", TEXTS)
def test_a_text_is_wanted(statement: str) -> None:
    assert prose.is_wanted(statement)


@pytest.mark.parametrize("statement", PROBLEMS)
def test_a_problem_has_an_answer(statement: str) -> None:
    assert not prose.is_wanted(statement)


def test_empty_lines_take_no_time() -> None:
    began = time.process_time()
    prose.is_wanted("Explain" + "\n" * 20_000)
    assert time.process_time() - began < 1  # some milliseconds; it took four seconds


def test_a_request_for_a_text_is_sent_as_it_stands() -> None:
    assert prompts.solve("Why do cats purr?", kind="prose") == [{"role": "user", "content": "Why do cats purr?"}]
    assert "boxed" in prompts.solve("Why do cats purr?")[0]["content"]


def test_an_earlier_request_for_a_text_stays_as_it_was_sent() -> None:
    earlier = [Exchange("Why do cats purr?", "They are content."), Exchange("What is 1 + 1?", "2")]
    assert prompts.talk("Shorter, please.", earlier)[0] == prompts.solve("Why do cats purr?", kind="prose")[0]
    assert "boxed" in prompts.solve("What is 2 + 2?", earlier)[2]["content"]
