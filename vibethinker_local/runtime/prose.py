"""Requests for a text: an explanation, a letter, a translation. Nothing in them has one answer that could be boxed."""

import re

from vibethinker_local.code import task

_POLITE = (
    r"(?:please[,:]?\s+|(?:can|could|would) you\s+(?:please\s+)?|i(?:'d| would) like you to\s+|help me\s+(?:to\s+)?)*"
)
_KINDS = (
    "essay poem story letter e-?mail paragraph article haiku speech song limerick summary introduction note message "
    "review description post report dialogue joke biography slogan"
)
_LANGUAGES = (
    "arabic chinese czech danish dutch english finnish french german greek hebrew hindi italian japanese korean latin "
    "mandarin norwegian polish portuguese romanian russian spanish swedish turkish ukrainian vietnamese"
)
_WRITE = (
    r"(?:write|draft|compose)\s+(?:me\s+|us\s+)?(?:an?|the|some|\w+)\s+(?:[\w-]+\s+){0,3}?"
    rf"(?:{'|'.join(_KINDS.split())})"
)
_LOOSELY = (  # maths problems begin so, too
    r"translate|rewrite|reword|who (?:is|was|are|were)\b|what(?:'s| is) the difference between\b|hello\b|hi\b|thanks?\b"
    r"|thank you\b|how are you\b|how do i\b|how do(?:es)? [^.?\n]{1,60}\bwork\b"
    r"|(?:give me|suggest) (?:some|a few|an? (?:short |brief |quick )?(?:overview|summary|name|idea|tip))\b"
)
_ORDER = re.compile(
    rf"^\W*{_POLITE}(?:{_LOOSELY}|{_WRITE}"
    r"|explain|describe|summari[sz]e|paraphrase|rephrase|proofread|discuss"
    r"|outline|brainstorm|introduce yourself|tell me (?:about|a|an|more|why|how)\b|recommend"
    r"|why (?:is|are|do|does|did|was|were)\b"
    r"|what are the (?:advantages|disadvantages|benefits|pros|causes|symptoms|main)\b)",
    re.IGNORECASE,
)
# The same in other languages, where a problem is told by less.
_ORDER_ABROAD = re.compile(
    r"^\W*(?:(?:请|請|帮我|麻烦你?|给我|为我|能|可以|你|bitte|por favor|пожалуйста)[,，]?\s*)*(?:"
    r"(?:你好|您好|谢谢|hallo|danke|bonjour|merci|hola|gracias|привет|спасибо)\W*$|翻译|翻譯|解释一?下?|介绍一?下?|总结|概括|润色|改写|推荐"
    r"|写(?![出成])[^。？?\n]{0,15}?(?:文章|作文|诗|故事|信(?!息|号)|邮件|小说|报告|歌)"
    r"|(?:übersetze?|erkläre?|tradui[st]\w*|expliqu(?:e|ez|er)|résume\w*|traduce\w*|expl[ií]ca(?:me|r)?|переведи\w*|объясни\w*|расскажи\w*)\b"
    r"|(?:schreibe?|écri\w+|escrib\w+|напиши\w*) (?:\w+ ){0,3}?(?:brief|gedicht|geschichte|aufsatz|rede|lettre|poème"
    r"|histoire|carta|poema|historia|письмо|стих|рассказ|сочинение|e-?mail)\b)",
    re.IGNORECASE,
)
_MATHS_ABROAD = re.compile(
    r"\d|[求算几個证證角数式]|多少|[总之]和|方程|概率|面积|解(?!释)|zahl|gleichung|wie ?viel|beweis|eck\b|winkel"
    r"|summe|fläche|funktion|nombre|équation|combien|démontr|triangle|angle|somme|aire\b|fonction|número|ecuaci|cuánt"
    r"|demuestr|ángulo|área|suma\b|funci[oó]n|числ|уравнен|сколько|докаж|площад|функци|угол|угл"
    r"|[乘除减減倍半]|plus\b|hälfte|prozent|moitié|pour cent|mitad|половин|процент",
    re.IGNORECASE,
)
_LOOSE_ORDER = re.compile(rf"^\W*{_POLITE}(?:{_LOOSELY})", re.IGNORECASE)
_OF_A_TEXT = re.compile(  # figures in it are part of a text
    rf"^\W*{_POLITE}(?:{_WRITE}|summari[sz]e|paraphrase|rephrase|proofread"
    rf"|translate\b.*\b(?:in)?to\s+(?:{'|'.join(_LANGUAGES.split())})\b"
    rf"|(?:rewrite|reword|translate)\s+(?:this|these|the|my|our)\s+(?:[\w-]+\s+){{0,2}}?"
    rf"(?:text|sentence|passage|{'|'.join(_KINDS.split())})s?\b)",
    re.IGNORECASE | re.DOTALL,
)
_HAS_AN_ANSWER = re.compile(  # what a problem has: a figure that is asked for, options, a formula
    r"[$\\=<>≤≥∑∫√^]|\bhow (?:many|much|long|far|old|often)\b|\b(?:calculate|compute|determine|evaluate|simplify|factor"
    r"|prove|solve|integers?|primes?|digits?|triangle|polynomial|equation|probability|remainder|numerals?)\b"
    r"|\bas an? (?:\w+ )?(?:fraction|decimal|percentage|percent|ratio|mixed number)\b"
    r"|^[ \t]*\(?[A-D][).]\s|\(A\)[^\n]{1,300}\(B\)"
    r"|\bwhat (?:(?:day|time) (?:is|it|will)|percentage|fraction|number|comes next|is the number)\b"
    r"|\banswer (?:with )?(?:only )?(?:yes|no|true|false)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SMALL = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred"
_VALUE = rf"(?:\(?\d[\d,.]{{0,20}}[a-z]?\)?|\b(?:{_SMALL})\b)"
_ARITHMETIC = re.compile(  # signs that also occur in dates, times and names count only with spaces around them
    rf"{_VALUE}[ ]?(?:[+*×÷·]|[ ][-−–/][ ]|\b(?:times|plus|minus|divided by|multiplied by)\b)[ ]?{_VALUE}"
    rf"|\d[ ]?(?:%|percent|per cent)[ ]of[ ]{_VALUE}|\d/\d{{1,20}}[ ]of\b"
    r"|\b(?:sum|product|quotient|average|mean|median|largest|smallest|greatest|least|square root|factorial)\b"
    r"[^.?!\n]{0,80}\d"
    r"|\bnumber of\b[^.?!\n]{0,80}\d|\d[ ]?%[ ]off\b|(?:\d+,[ ]?){3}\d"
    r"|\d,[^.?!\n]{0,80}\b(?:mean|median|mode)\b"
    rf"|\bbetween[ ](?:{_SMALL})[ ]and[ ](?:{_SMALL})\W*$",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"\d|\b(?:numbers|largest|smallest|greatest|than|(?:sum|product|squares?|cubes?|average) of)\b", re.IGNORECASE
)
_NAMED = re.compile(  # HTTP/2, Python 3
    r"(?<!\w)[A-Za-z][\w/.-]{0,30}\d|(?<=[a-z] )(?=\w{0,30}[A-Z])\w{1,30}\s\d[\d.]*"
)


def is_wanted(statement: str) -> bool:
    """Whether a text is asked for, and nothing that has a definite answer; in doubt it is a problem."""
    if _ORDER_ABROAD.match(statement) and not _MATHS_ABROAD.search(statement) and task.read(statement) is None:
        return not _HAS_AN_ANSWER.search(statement)
    if not _ORDER.match(statement) or _HAS_AN_ANSWER.search(statement) or task.read(statement) is not None:
        return False
    if _OF_A_TEXT.match(statement):
        return True
    loose = _LOOSE_ORDER.match(statement)
    return not _ARITHMETIC.search(statement) and not (loose and _FIGURE.search(_NAMED.sub("", statement)))
