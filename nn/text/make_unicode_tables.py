# Writes unicode_tables.cpp: what each code point is to Hugging Face's Rust tokenizer, which mixes several versions of Unicode
# (the categories are those of Unicode 8, normalisation of 9, lower case of 17). So its own package is asked, code point by
# code point; `pip install tokenizers` (0.23.3 was used), and utf8proc for what it would say by itself.
#
#   python3 nn/text/make_unicode_tables.py > nn/text/unicode_tables.cpp && clang-format -i nn/text/unicode_tables.cpp
import ctypes
import ctypes.util

import tokenizers
from tokenizers import normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
OVERLAY = "\u0334"  # combining class 1: what NFD moves before any other mark

clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
strip = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
chinese = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
nfd, lowercase, words = normalizers.NFD(), normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
utf8proc = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
utf8proc.utf8proc_unicode_version.restype = ctypes.c_char_p


def split(text):
    return [piece for piece, _ in words.pre_tokenize_str(text)]


def ranges(belongs):
    result = []
    for c in CODE_POINTS:
        if not belongs(chr(c)):
            continue
        if result and result[-1][1] == c - 1:
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def is_combining(c):
    """Whether NFD moves it: before a mark of class 230, or behind one of class 1."""
    behind = nfd.normalize_str("a" + c + OVERLAY) == "a" + OVERLAY + c
    return c == OVERLAY or behind or nfd.normalize_str("a\u0301" + c) == "a" + c + "\u0301"


def write(name, comment, rows):
    print(f"\n// {comment}\nconst Range {name}_ranges[] = {{")
    line = "   "
    for first, last in rows:
        item = f" {{0x{first:x}, 0x{last:x}}},"
        if len(line) + len(item) > 120:
            print(line)
            line = "   "
        line += item
    print(line + "\n};")
    print(f"constinit const std::span<const Range> {name} = {name}_ranges;")


def lower_case_exceptions():
    """[first, last, distance]: where utf8proc (whatever its version) may not know the lower case."""
    result = []
    for c in CODE_POINTS:
        lower = lowercase.normalize_str(chr(c))
        if len(lower) != 1:
            assert (c, lower) == (0x130, "i\u0307"), "a new special case"
            continue
        if ord(lower) == utf8proc.utf8proc_tolower(c):
            continue
        assert ord(lower) != c, "utf8proc is newer: leave out what it alone knows"
        distance = ord(lower) - c
        if result and result[-1][1] == c - 1 and result[-1][2] == distance:
            result[-1][1] = c
        else:
            result.append([c, c, distance])
    return result


print(f"""// Ranges of code points, made by make_unicode_tables.py; not to be edited.
// From tokenizers {tokenizers.__version__}, beside utf8proc of Unicode {utf8proc.utf8proc_unicode_version().decode()}.
#include "unicode_tables.h"

namespace percale::language::unicode {{""")
write("removed", "What cleaning takes out: U+0000, U+FFFD, control, format and private-use characters.",
      ranges(lambda c: clean.normalize_str("a" + c + "b") == "ab"))
write("white_space", "What separates words.", ranges(lambda c: split("a" + c + "b") == ["a", "b"]))
write("punctuation", "What is a word by itself.", ranges(lambda c: split("a" + c + "b") == ["a", c, "b"]))
write("ideographs", "What is a word by itself in Chinese and Japanese text.", ranges(lambda c: chinese.normalize_str(c) == f" {c} "))
write("nonspacing_marks", "What stripping accents takes out.", ranges(lambda c: strip.normalize_str("a" + c + "b") == "ab"))
write("decomposing", "What canonical decomposition changes.", ranges(lambda c: nfd.normalize_str(c) != c))
write("combining", "What has a canonical combining class other than 0.", ranges(is_combining))
print("\n// Lower case that older versions of utf8proc do not know.\nconst LowerCase lower_case_ranges[] = {")
for first, last, distance in lower_case_exceptions():
    print(f"    {{0x{first:x}, 0x{last:x}, {distance}}},")
print("};\nconstinit const std::span<const LowerCase> lower_case = lower_case_ranges;")
print("\n}  // namespace percale::language::unicode")
