"""Texts as Hugging Face's fast tokenizer for BERT cuts them, with a small vocabulary, written to wordpiece.json.

    python3 wordpiece.py        # needs tokenizers; made with the version that wordpiece.json names

A case has a `text`, perhaps a `pair` and a `max_length`, the flags of BertNormalizer, and what came out: ids, types,
offsets in code points, and the ids as text again, with and without special tokens. Every piece of a normalised text is in the
vocabulary letter by letter, so that no [UNK] hides a difference; some letters are left out so that there are some.
"""
import json
import pathlib
import random

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["hello", "world", "how", "are", "you", "un", "##aff", "##able", "able", "token", "##izer", "##ize", "##s", "it", "don", "the", "cafe", "##é"]
LEFT_OUT = "qQ##ß"

TEXTS = [
    "", " ", "\n", "\0", "Hello, how are you?", "hello world! It's unaffable tokenizers don't.", "HELLO [MASK] world[SEP]", "[mask] [ CLS ]", "x[UNK]y",
    "café CAFÉ cafe\u0301", "İstanbul I\u0307", "ßẞ straße", "Σίσυφος ΣΣ", "中文字 kana かな", "\uf900\U0002f800 \u2b820 \U0002b820\U0002b920", "각\u1100\u1161\u11a8 한국어",
    "a\u200bb\u00adc\ufeff d\u0085e\u000bf", "\u00a0\u3000a\u2028b\u1680c", "a\ufffdb\ue000c", "$5 + 3 = 8 ~ ^ `", "¿qué? «a» — b… 、。", "😀👍🏽 a\u200d👩\ufe0f", "a" * 100, "a" * 101,
    "e\u0301" * 100, "e\u0301" * 101, "don ' t do not n't 's", "a . b , c ! d ?", "q Q aqa", "\u0345 \u1fb3 \u03b1\u0345", "a\u302e\u302f\u0301b", "a\u302f\u0323\u302eb",
    "\U0001d15e\U0001d165\U0001d16e\U0001d165", "a\u08d4\u0323b \u1e9b\u0323", "\u0344a \u0f73\u0f71", "\U00011938 \u1b06 \U0001109a", "\u2126 \u212b \u037e \u1fef",
    "\u1c89 \ua7cb \U00016ea0", "a\u07fd\u0323b", "##able ##", "[CLS][SEP][PAD]", "\t[MASK]\t", "1,234.5", "\u0958 \u0f43 \u0340\u0341",
]
MARKS = [0x301, 0x323, 0x334, 0x302e, 0x302f, 0x1d165, 0x1d16d, 0x8d4, 0x1e000, 0x1bf2, 0x11442, 0x7fd, 0x344, 0xf73, 0x94d, 0x900]
LETTERS = [ord(c) for c in "aAeEz9 .'-["] + [0xe9, 0x130, 0xac01, 0x4e2d, 0xf900, 0x37e, 0x1e9e, 0x3a3, 0x1d15e, 0x958, 0xad, 0, 0x3000, 0x85]
random.seed(1)
TEXTS += ["".join(chr(random.choice(MARKS if random.random() < 0.4 else LETTERS)) for _ in range(random.randrange(2, 16))) for _ in range(60)]


def vocabulary():
    letters = set()
    for lowercase in (False, True):
        for strip in (False, True):
            normalizer = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=strip, lowercase=lowercase)
            letters |= set("".join(map(normalizer.normalize_str, TEXTS)))
    letters = sorted(c for c in letters if not c.isspace() and c not in LEFT_OUT)
    return list(dict.fromkeys(SPECIAL + WORDS + letters + ["##" + c for c in letters]))


def build(pieces, flags):
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**flags)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def case(tokenizer, text, pair=None, max_length=None):
    if max_length:
        tokenizer.enable_truncation(max_length, strategy="longest_first")
    encoding = tokenizer.encode(text) if pair is None else tokenizer.encode(text, pair)
    tokenizer.no_truncation()
    result = {"text": text, "ids": encoding.ids, "types": encoding.type_ids, "offsets": [list(pair) for pair in encoding.offsets],
              "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False), "plain": tokenizer.decode(encoding.ids)}
    return result | ({"pair": pair} if pair is not None else {}) | ({"max_length": max_length} if max_length else {})


pieces = vocabulary()
groups = []
for clean, chinese, strip, lowercase in [(True, True, None, True), (True, True, False, False), (True, True, True, False), (True, True, False, True), (False, False, None, True)]:
    flags = {"clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip, "lowercase": lowercase}
    tokenizer = build(pieces, flags)
    cases = [case(tokenizer, text) for text in TEXTS]
    if strip is None and clean:
        cases += [case(tokenizer, TEXTS[i], TEXTS[i + 1]) for i in range(4, 20)]
        cases += [case(tokenizer, TEXTS[5] * (i % 3), (TEXTS[4] * (i % 4)) if i % 5 else None, 3 + i) for i in range(24)]
    groups.append({"flags": flags, "cases": cases})
with open(pathlib.Path(__file__).parent / "wordpiece.json", "w") as file:
    rows = ",\n".join('{"flags": %s, "cases": [\n%s]}' % (json.dumps(group["flags"]), ",\n".join(json.dumps(c, separators=(",", ":")) for c in group["cases"]))
                      for group in groups)
    file.write('{"tokenizers": %s, "vocabulary": %s,\n"groups": [\n%s]}\n' % (json.dumps(tokenizers.__version__), json.dumps(pieces), rows))
