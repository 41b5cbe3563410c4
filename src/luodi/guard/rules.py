"""Known templates of attacks, in English and Chinese, over the normal forms of a text.

A rule is for wordings that hardly occur otherwise; everything softer is the model's work. Change a pattern,
raise its version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import re2

RULES_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Rule:
    """A template; `pattern` runs on text in normal form (lower case, single spaces)."""

    id: str
    version: int
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that matched, and what it matched."""

    rule: Rule
    text: str


def _rule(id: str, pattern: str, version: int = 1) -> Rule:
    return Rule(id, version, re.compile(pattern))


_PRIOR = r"(?:previous|prior|above|earlier|preceding|existing|original|system|initial)"
_ORDERS = r"(?:instructions?|directions?|directives?|prompts?|rules|guidelines|commands|orders|messages?)"
_DROP = r"(?:ignore|disregard|forget|override|overlook|bypass|discard|neglect)"
_ZH_DROP = r"(?:忽略|无视|忘记|忘掉|不要理会|不用理会|跳过|抛开|放弃|不必遵守|不要遵守)"
_ZH_PRIOR = r"(?:以上|之前|前面|上面|先前|上述|此前|原有|原来|所有|一切|全部)"
_ZH_ORDERS = r"(?:指令|指示|提示词|提示|规则|要求|命令|设定|限制|约束|说明)"

RULES: tuple[Rule, ...] = (
    _rule("ignore-en", rf"\b{_DROP} (?:\w+ ){{0,3}}{_PRIOR} (?:\w+ ){{0,2}}{_ORDERS}\b"),
    _rule(
        "ignore-all-en",
        rf"\b{_DROP} (?:all|every|everything|any) (?:\w+ ){{0,4}}(?:{_ORDERS}|you were told|you know)\b",
    ),
    _rule("ignore-zh", rf"{_ZH_DROP}[^。！？!?\n]{{0,4}}{_ZH_PRIOR}[^。！？!?\n]{{0,8}}{_ZH_ORDERS}"),
    _rule(
        "reveal-prompt-en",
        r"\b(?:reveal|show|print|output|repeat|display|tell me|give me|leak|dump|expose|recite|share|what "
        r"(?:is|are|was|were))"
        r" (?:\w+ ){0,4}(?:system|hidden|initial|original|secret|internal) (?:prompts?|instructions?"
        r"|messages?)\b",
    ),
    _rule(
        "repeat-above-en",
        r"\b(?:repeat|print|output|copy|translate) (?:\w+ ){0,3}(?:text|words?|everything|content|all) "
        r"(?:\w+ ){0,2}above\b",
    ),
    _rule(
        "reveal-prompt-zh",
        r"(?:输出|显示|打印|告诉我|透露|泄露|复述|重复|给我看|展示|说出|背出|发给我|公开)[^。！？!?\n]{0,10}"
        r"(?:系统提示|系统指令|系统消息|系统设定|初始提示|初始指令|隐藏指令|内部指令|原始指令|提示词|prompt)",
    ),
    _rule(
        "dan",
        r"\bdo anything now\b|\b(?:you are|act as|become|stay) (?:\w+ ){0,3}dan\b|\bdan mode\b|dan ?模式",
    ),
    _rule(
        "developer-mode",
        r"\b(?:developer|debug|god|jailbreak|sudo|unrestricted|maintenance) mode (?:\w+ ){0,2}(?:enabled?"
        r"|on|activated?|output)\b"
        r"|\b(?:enable|activate|enter|switch to|simulate) (?:\w+ ){0,3}(?:developer|debug|god|jailbreak"
        r"|sudo|unrestricted) mode\b"
        r"|(?:进入|开启|启用|切换到|激活)[^。！？!?\n]{0,6}(?:开发者|调试|上帝|越狱|无限制|管理员)模式",
    ),
    _rule(
        "no-limits-en",
        r"\b(?:without|no|free (?:of|from)|ignoring|has no|have no) (?:any |all |more )?(?:\w+ )?"
        r"(?:ethical|moral|safety|content) (?:\w+ )?(?:restrictions?|guidelines?|filters?|constraints?"
        r"|limits?|limitations?|rules)\b"
        r"|\byou (?:are|have) (?:now |been )?(?:an? )?(?:unrestricted|unfiltered|jailbroken|uncensored"
        r"|no rules|no restrictions)\b",
    ),
    _rule(
        "no-limits-zh",
        r"(?:没有|不受|解除|取消|去除|摆脱|绕过|突破)[^。！？!?\n]{0,6}(?:任何|一切|所有|道德|伦理|安全"
        r"|内容)[^。！？!?\n]{0,6}"
        r"(?:限制|约束|审查|过滤|规则|准则)",
    ),
    _rule(
        "persona-en",
        r"\b(?:pretend|act|imagine|roleplay|role-play|respond)(?: to be| as| like| that)? (?:\w+ ){0,6}"
        r"(?:no (?:rules|restrictions|limits|filters|guidelines)|(?:unrestricted|uncensored|unfiltered"
        r"|evil|amoral) (?:ai|assistant|chatbot|model))\b",
    ),
    _rule(
        "persona-zh",
        r"(?:假装|扮演|假设|想象|从现在(?:开始|起))[^。！？!?\n]{0,16}"
        r"(?:没有(?:任何)?限制|不受(?:任何)?(?:限制|约束)|无所不能|不会拒绝|不能拒绝)",
    ),
    _rule(
        "from-now-zh",
        r"你(?:现在|从现在起|从此)?(?:不再是|不是)[^。！？!?\n]{1,12}(?:助手|客服|模型|ai)"
        r"[^。！？!?\n]{0,12}(?:而是|你是|你叫)",
    ),
    _rule(
        "grandma",
        r"\b(?:deceased|dead|late) grand(?:ma|mother|pa|father)\b[^.!?]{0,80}\b(?:used to|would)\b"
        r"|(?:已故|去世|过世)的?(?:奶奶|外婆|祖母)[^。！？!?]{0,30}(?:念|读|讲|哄)",
    ),
    _rule(
        "fake-turn",
        r"<\|(?:im_start|im_end|system|endoftext|eot_id|start_header_id)\|>|\[/?inst\]|<</?sys>>|\[/?system\]"
        r"|(?:^|[-=#] ?)(?:end|begin|start) of (?:user|system|document|context|data|file) ?(?:input|prompt"
        r"|message)?[-=# ]{2,}",
    ),
    _rule(
        "to-the-model",
        r"\b(?:note|instructions?|message|attention|important)[: ]{1,2}(?:\w+ ){0,2}(?:to|for) (?:the "
        r"|any |all )?(?:ai|llm|language model|assistant|chatbot|bot)\b"
        r"|\b(?:ai|llm|language) (?:models?|agents?|assistants?|readers?) (?:\w+ ){0,4}(?:must"
        r"|should first|shall|are (?:required|instructed))\b"
        r"|(?:ai|人工智能|大模型|语言模型|智能助手)[^。！？!?\n]{0,8}(?:读到|看到|阅读)[^。！？!?\n]{0,10}"
        r"(?:必须|请立即|务必)",
    ),
)


def _sieve(rules: tuple[Rule, ...]) -> re2.Filter:
    """Tells in one pass which rules a text could match at all: those whose literal parts stand in it.

    Word boundaries, which re2 knows for ASCII only, are left out and classes widened to what Python counts as a
    word's sign: it finds at least every rule that matches, and the pattern itself decides.
    """
    options = re2.Options()
    options.log_errors = False
    sieve = re2.Filter()
    for rule in rules:
        sieve.Add(rule.pattern.pattern.replace(r"\b", "").replace(r"\w", r"[\pL\pN\pM_]"), options)
    sieve.Compile()
    return sieve


_SIEVE = _sieve(RULES)


def match_rules(normal_forms: Iterable[str], rules: tuple[Rule, ...] = RULES) -> list[RuleHit]:
    """The rules that match any of the normal forms (`normalise.views`), each once, in order."""
    sieve = _SIEVE if rules is RULES else _sieve(rules)
    found: dict[int, str] = {}
    for form in normal_forms:
        # As bytes: a text may hold half a surrogate pair, which no rule speaks of.
        for place in sieve.Match(form.encode("utf-8", "replace"), True) or ():
            if place not in found and (match := rules[place].pattern.search(form)):
                found[place] = match[0][:200]
    return [RuleHit(rules[place], found[place]) for place in sorted(found)]
