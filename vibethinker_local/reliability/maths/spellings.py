"""Spellings of one thing: LaTeX commands and Unicode characters, each with what `notation` makes of it."""

import unicodedata


def _table(lines: str) -> dict[str, str]:
    """By spelling: what stands before the colon of its line."""
    found: dict[str, str] = {}
    for line in lines.strip().splitlines():
        meaning, _, spellings = line.strip().partition(" : ")
        found |= dict.fromkeys(spellings.split(), meaning)
    return found


# Commands that only say how something looks, alone and with an argument that is dropped with them.
DROPPED = set(
    "left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm biggm displaystyle "
    "textstyle scriptstyle scriptscriptstyle limits nolimits rm bf it sf tt sc sl em large Large LARGE huge Huge "
    "normalsize small footnotesize scriptsize tiny boldmath mathstrut strut checkmark qed nonumber notag relax "
    "centering noindent smallskip medskip bigskip null bfseries itshape rmfamily mdseries upshape allowbreak".split()
)
DROPPED_WITH_ARGUMENT = set(
    "color hspace vspace phantom hphantom vphantom label tag ref mathcolor textcolor colorbox".split()
)
SPACES = set("quad qquad enspace enskip thinspace medspace thickspace space hfill par newline".split())
UPRIGHT = set(
    "text textrm textbf textit textsf texttt textnormal textup textsc textmd emph mbox hbox mathrm mathsf mathtt "
    "mathit mathnormal operatorname mathop mathord".split()
)
BOLD = set("mathbf boldsymbol bm bold vec overrightarrow pmb".split())
ALPHABETS = set("mathbb mathcal mathscr mathfrak".split())
TRANSPARENT = set("boxed fbox framebox underline ensuremath mathclose mathopen mathrel mathbin".split())
FRACTIONS = set("frac dfrac tfrac cfrac nicefrac sfrac flatfrac".split())
BINOMIALS = set("binom dbinom tbinom".split())
ACCENTS = _table("""
    bar : bar overline
    hat : hat widehat
    tilde : tilde widetilde
    dot : dot
    ddot : ddot
    ring : mathring
    line : overleftrightarrow
    overset : overset
    cancel : cancel bcancel
    circled : textcircled circled
""")

FUNCTIONS = set(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech csch arsinh arcosh "
    "artanh arcsinh arccosh arctanh asin acos atan log ln lg exp max min gcd lcm det dim deg arg sgn sign tg ctg cosec "
    "arctg abs floor ceil sqrt cbrt Re Im erf cis".split()
)
FUNCTION_SPELLINGS = _table("""
    tan : tg
    cot : ctg
    csc : cosec
    arctan : arctg atan arctg
    arcsin : asin
    arccos : acos
    arsinh : arcsinh
    arcosh : arccosh
    artanh : arctanh
    sgn : sign
""")

# Short words that are no products of variables.
SHORT_WORDS = set(
    "yes no not odd red all any one two six ten the is of for if to at by on in day man men way egg pie cup car bag "
    "box pen cow pig hen dog cat bus yen set row ton mol cal ohm rev are boy toy jar kid ant bee fox hat key map mug "
    "nut pea pin pot rod tie van web yrs hrs cms kms per sq cu".split()
)

GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
    "chi psi omega"
).split()
GREEK += [name.capitalize() for name in GREEK]
LETTERS = {name: "\\" + name for name in GREEK} | _table(r"""
    \epsilon : varepsilon
    \theta : vartheta
    \phi : varphi
    \rho : varrho
    \sigma : varsigma
    \pi : varpi
    \ell : ell
    \hbar : hbar
    \partial : partial
    \nabla : nabla
    \aleph : aleph
    ∞ : infty infin
    ∅ : emptyset varnothing
    ℝ : R reals
    ℕ : N
    ℤ : Z
    ℚ : Q
    ℂ : C
    i : imath i
    j : jmath
    ° : degree textdegree circ
""")
KNOWN_ALPHABETS = {  # letters of other alphabets that have a meaning
    "mathbb R": "ℝ", "mathbb N": "ℕ", "mathbb Z": "ℤ", "mathbb Q": "ℚ", "mathbb C": "ℂ", "mathcal O": "O",
}  # fmt: skip
SIGNS = _table(r"""
    * : cdot times ast cdotp bullet
    / : div slash
    ± : pm
    ∓ : mp
    <= : le leq leqslant leqq
    >= : ge geq geqslant geqq
    < : lt
    > : gt
    != : ne neq
    ≈ : approx doteq thickapprox approxeq
    ≃ : simeq
    ≡ : equiv
    ∈ : in
    ∉ : notin
    ∋ : ni
    ∪ : cup
    ∩ : cap
    ∖ : setminus backslash
    | : mid vert lvert rvert
    ‖ : Vert lVert rVert
    → : to rightarrow longrightarrow
    ↦ : mapsto
    ⇒ : Rightarrow implies Longrightarrow
    ⇔ : iff Leftrightarrow
    ∧ : wedge land
    ∨ : vee lor
    : : colon
    ' : prime
    … : dots ldots cdots dotsc dotsb hdots vdots
    \over : over
    \choose : choose
    \pmod : pmod pod
    \bmod : bmod mod
    % : percent
    ∼ : sim
    ≅ : cong
    ∝ : propto
    ⊥ : perp
    ∥ : parallel
    ⊂ : subset
    ⊆ : subseteq
    ∤ : nmid
    ⊕ : oplus
    ⊗ : otimes
    ¬ : neg lnot
    \sqrt : surd
""")
# Brackets: what an opening one is called and what closes it.
OPENING = {
    "(": ("(", ")"), "[": ("[", "]"), "{": ("{", "}"), r"\{": (r"\{", r"\}"), r"\lbrace": (r"\{", r"\}"),
    r"\lbrack": ("[", "]"), r"\lparen": ("(", ")"), r"\lgroup": ("(", ")"), r"\langle": ("<", ">"), "⟨": ("<", ">"),
    r"\lfloor": ("⌊", "⌋"), "⌊": ("⌊", "⌋"), r"\lceil": ("⌈", "⌉"), "⌈": ("⌈", "⌉"), r"\left|": ("|", "|"),
    r"\left‖": ("‖", "‖"),
}  # fmt: skip
CLOSING = {
    ")": ")", "]": "]", "}": "}", r"\}": r"\}", r"\rbrace": r"\}", r"\rbrack": "]", r"\rparen": ")", r"\rgroup": ")",
    r"\rangle": ">", "⟩": ">", r"\rfloor": "⌋", "⌋": "⌋", r"\rceil": "⌉", "⌉": "⌉", r"\right|": "|", r"\right‖": "‖",
}  # fmt: skip

SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣ", "0123456789+-=()nix", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼ", "0123456789+-=()aeoxhklmnpstij", strict=True))


CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩"  # numbers of statements: ①4 is not 14
MYRIADS = "[百千백천]?[万萬만亿億억]"  # and more, behind digits
# "Answer" in other languages: words, and those that stand beside others without a space.
ANSWERS = (
    "antwort|lösung|ergebnis|réponse|résultat|respuesta|solución|resultado|risposta|resposta|ответ|jibu|cevap"
    "|odpowiedź|antwoord|jawaban|đáp án|الجواب|الإجابة|उत्तर"
)
ANSWERS_UNSPACED = "答案|答え|正解|정답|답|উত্তর|คำตอบ"
AND, OR = "und|et|и", "oder|ou|или"  # in other languages


def _greek_character(name: str) -> str:
    size = "SMALL" if name.islower() else "CAPITAL"
    return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


# Characters, in LaTeX.
CHARACTERS = (
    {_greek_character(name): f"\\{name} " for name in GREEK}
    | {
        character: meaning + " " if "\\" in meaning and meaning[-1].isalpha() else meaning
        for character, meaning in _table(r"""
            \phi : ϕ
            \epsilon : ϵ
            \theta : ϑ
            \pi : ϖ
            \sigma : ς
            \Delta : ∆
            \Omega : Ω
            \mu : µ
            - : − – — ‐ ‑ ﹣ －
            * : · ⋅ ∙ × ✕ ✖ ∗
            / : ÷ ∕ ⁄
            <= : ≤ ≦ ⩽
            >= : ≥ ≧ ⩾
            != : ≠
            \approx : ≈ ≒
            \simeq : ≃
            \infty : ∞
            \cup : ∪
            \cap : ∩
            \setminus : ∖
            \in : ∈
            \notin : ∉
            \pm : ±
            \mp : ∓
            \emptyset : ∅ ø Ø
            ^\circ : ° º
            ' : ′ ’ ‘
            '' : ″
            " : “ ” „ « » ‹ › 「 」
            \surd : √
            \sqrt[3] : ∛
            \sqrt[4] : ∜
            , : ٬
            . : 。 ٫
            % : ٪
            | : ∣
            : : ∶
            \R : ℝ
            \N : ℕ
            \Z : ℤ
            \Q : ℚ
            \C : ℂ
            \sum : ∑
            \prod : ∏
            \int : ∫
            \to : →
            \Rightarrow : ⇒
            \iff : ⇔
            \angle : ∠
            \triangle : △
            \ell : ℓ
            \langle : 〈
            \rangle : 〉
            \ldots : … ⋯
            \text{cents} : ¢
        """).items()
    }
    | dict.fromkeys("\u00a0\u202f\u2009", " ")
    | dict.fromkeys("，、،", ", ")  # between thousands there is another sign
    | {circled: circled for circled in CIRCLED}
    | dict.fromkeys("\u200b\u200c\u200d\u2060\u2061\u2062\ufeff", "")
)
