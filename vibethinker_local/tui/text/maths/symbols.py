"""Tables: what a LaTeX command is in Unicode, and which characters can be raised and lowered."""

BOX = "\ue010", "\ue011"  # around what is \boxed: how that is shown is the reader's business


class BrokenLatex(Exception):
    """It is not LaTeX, or more than is understood here."""


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


ORDINARY = _pairs("""
alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ nu ν
xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω
Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω
infty ∞ partial ∂ nabla ∇ forall ∀ exists ∃ nexists ∄ emptyset ∅ varnothing ∅ ell ℓ hbar ℏ imath ı jmath ȷ Re ℜ Im ℑ
aleph ℵ beth ℶ wp ℘ angle ∠ measuredangle ∡ triangle △ square □ Box □ blacksquare ■ qed ∎ diamond ◇ star ⋆ dagger †
ddagger ‡ checkmark ✓ top ⊤ bot ⊥ neg ¬ lnot ¬ prime ′ degree ° dots … ldots … cdots ⋯ vdots ⋮ ddots ⋱ dotsc … dotsb ⋯
flat ♭ sharp ♯ natural ♮ clubsuit ♣ diamondsuit ♢ heartsuit ♡ spadesuit ♠ S § P ¶ copyright © pounds £ euro €
surd √ therefore ∴ because ∵ complement ∁ eth ð mho ℧ circledR ® maltese ✠ lozenge ◊ bigstar ★ backslash \\
lbrace { rbrace } lbrack [ rbrack ] langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ lvert | rvert | lVert ‖ rVert ‖
vert | Vert ‖ ulcorner ⌜ urcorner ⌝ llcorner ⌞ lrcorner ⌟ lgroup ⟮ rgroup ⟯ llbracket ⟦ rrbracket ⟧
""")
RELATIONS = _pairs("""
le ≤ leq ≤ leqslant ≤ ge ≥ geq ≥ geqslant ≥ ne ≠ neq ≠ lt < gt > ll ≪ gg ≫ lll ⋘ ggg ⋙ equiv ≡ approx ≈ approxeq ≊
cong ≅ sim ∼ simeq ≃ asymp ≍ propto ∝ doteq ≐ triangleq ≜ coloneqq ≔ coloneq ≔ models ⊨ vdash ⊢ dashv ⊣ in ∈
notin ∉ ni ∋ subset ⊂ subseteq ⊆ subsetneq ⊊ supset ⊃ supseteq ⊇ supsetneq ⊋ nsubseteq ⊈ sqsubseteq ⊑ mid ∣ nmid ∤
parallel ∥ nparallel ∦ perp ⊥ prec ≺ succ ≻ preceq ⪯ succeq ⪰ to → rightarrow → leftarrow ← gets ← leftrightarrow ↔
longrightarrow ⟶ longleftarrow ⟵ longleftrightarrow ⟷ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ Longrightarrow ⟹
Longleftarrow ⟸ Longleftrightarrow ⟺ implies ⟹ impliedby ⟸ iff ⟺ mapsto ↦ longmapsto ⟼ hookrightarrow ↪
hookleftarrow ↩ uparrow ↑ downarrow ↓
updownarrow ↕ Uparrow ⇑ Downarrow ⇓ nearrow ↗ searrow ↘ swarrow ↙ nwarrow ↖ rightharpoonup ⇀
rightleftharpoons ⇌ twoheadrightarrow ↠ rightsquigarrow ⇝ leadsto ⇝ nrightarrow ↛ nRightarrow ⇏ less < nless ≮ ngtr ≯
nleq ≰ ngeq ≱ lesssim ≲ gtrsim ≳ trianglelefteq ⊴ vartriangleleft ⊲ vDash ⊨ Vdash ⊩ colon : bowtie ⋈
""")
BINARY = _pairs("""
times × cdot · div ÷ pm ± mp ∓ ast ∗ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ oslash ⊘ odot ⊙ cap ∩ cup ∪ uplus ⊎
setminus ∖ smallsetminus ∖ land ∧ wedge ∧ lor ∨ vee ∨ sqcap ⊓ sqcup ⊔ amalg ⨿ ltimes ⋉ rtimes ⋊ wr ≀ barwedge ⊼
""")
LARGE = _pairs("""
sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ bigcup ⋃ bigcap ⋂ bigsqcup ⨆ bigvee ⋁ bigwedge ⋀ bigoplus ⨁
bigotimes ⨂ bigodot ⨀ biguplus ⨄
""")
INTEGRALS = frozenset("∫∬∭∮")
FUNCTIONS = frozenset(
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lcm lg lim liminf limsup ln log "
    "max min mod Pr sec sin sinh sup tan tanh sgn argmax argmin".split()
)
UNDER = frozenset("lim liminf limsup max min sup inf gcd det Pr argmax argmin".split())  # take their index below
SPACES = {",": " ", ":": " ", ";": " ", " ": " ", "!": "", "quad": "  ", "qquad": "    ", "enspace": " ", "space": " "}
SPACES |= {"thinspace": " ", "medspace": " ", "thickspace": " ", "~": " ", "hfill": "  "}
# Commands that change how something looks, which a terminal does not show; their argument stays.
PLAIN = frozenset(
    "mathrm mathit mathbf mathsf mathtt mathnormal boldsymbol bm pmb displaystyle textstyle scriptstyle "
    "scriptscriptstyle operatorname limits nolimits big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm "
    "Bigm middle mathop mathrel mathbin mathord mathopen mathclose mathstrut nonumber notag allowbreak relax hline "
    "strut rm bf it cal mathclap mathllap mathrlap clap llap rlap "
    "tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge".split()
)
TEXT = frozenset("text textrm textbf textit texttt textsf textnormal mbox hbox emph".split())
ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0305",
    "underline": "\u0332",
    "vec": "\u20d7",
    "overrightarrow": "\u20d7",
    "overleftarrow": "\u20d6",
    "overleftrightarrow": "\u20e1",
    "cancel": "\u0338",
    "bcancel": "\u0338",
    "xcancel": "\u0338",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "dot": "\u0307",
    "ddot": "\u0308",
    "check": "\u030c",
    "breve": "\u0306",
    "acute": "\u0301",
    "grave": "\u0300",
}
NEGATED = {"=": "≠", "∈": "∉", "⊂": "⊄", "⊆": "⊈", "≡": "≢", "∣": "∤", "<": "≮", ">": "≯", "∥": "∦", "∃": "∄", "≤": "≰"}
NEGATED |= {"≥": "≱", "∼": "≁", "≈": "≉", "⊃": "⊅", "⊇": "⊉"}

_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SMALL = _CAPITALS.lower()
ALPHABETS = {
    "mathbb": dict(zip(_CAPITALS + "1", "𝔸𝔹ℂ𝔻𝔼𝔽𝔾ℍ𝕀𝕁𝕂𝕃𝕄ℕ𝕆ℙℚℝ𝕊𝕋𝕌𝕍𝕎𝕏𝕐ℤ𝟙", strict=True)),
    "mathcal": dict(zip(_CAPITALS, "𝒜ℬ𝒞𝒟ℰℱ𝒢ℋℐ𝒥𝒦ℒℳ𝒩𝒪𝒫𝒬ℛ𝒮𝒯𝒰𝒱𝒲𝒳𝒴𝒵", strict=True)),
    "mathfrak": dict(zip(_CAPITALS + _SMALL, "𝔄𝔅ℭ𝔇𝔈𝔉𝔊ℌℑ𝔍𝔎𝔏𝔐𝔑𝔒𝔓𝔔ℜ𝔖𝔗𝔘𝔙𝔚𝔛𝔜ℨ𝔞𝔟𝔠𝔡𝔢𝔣𝔤𝔥𝔦𝔧𝔨𝔩𝔪𝔫𝔬𝔭𝔮𝔯𝔰𝔱𝔲𝔳𝔴𝔵𝔶𝔷", strict=True)),
}
ALPHABETS["mathscr"] = ALPHABETS["mathcal"]

RAISED = dict(
    zip(
        "0123456789+−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ′∘*",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡ′°*",
        strict=True,
    )
)
LOWERED = dict(zip("0123456789+−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
