"""Category codes of every column of some CSV files by pandas, written to categories.json, and the hard cases, hard.csv.

    python3 categories.py DATA/csv      # needs pandas; made with the version that categories.json names

Each column has its dtype, the number of its categories, the first ten of them, and SHA-256 sums: of the categories (str
of each, a NUL behind each) and of the codes (64-bit, little-endian).
"""
import csv
import hashlib
import json
import pathlib
import sys

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).parent

HARD = {
    "plain": ["b", "a", "c", "a", "b", "Z", "z", "10", "9", "a"],
    "comma, in the name": ["x,y", "x", "x,y,", ",", "x", "x,y", ",,", "x", "y", ","],
    'quote "in" the name': ['"', 'say "hi"', "it's", '""', '"', "5\" pipe", "it's", 'say "hi"', "a", '"'],
    "line\nbreak": ["one\ntwo", "one", "one\r\ntwo", "\n", "one\ntwo", "one\rtwo", "x", "x", "\n", "one\n"],
    "": ["no name", "", "no name", "a", "", "b", "a", "b", "a", "no name"],
    "twice": ["1", "2", "1", "2", "1", "2", "1", "2", "1", "3"],
    "twice ": ["blank behind", "a", "b", "a", "b", "a", "b", "a", "b", "a"],
    "missing": ["NA", "na", "N/A", "null", "NULL", "None", "none", "<NA>", "#N/A", "nan"],
    "all missing": ["", "NA", "", "", "n/a", "NaN", "", "", "-nan", "#NA"],
    "whole": ["10", "9", "-1", "+9", "010", " 9", "9 ", "100", "-0", "0"],
    "whole, one missing": ["10", "9", "-1", "", "010", "9", "11", "100", "0", "0"],
    "large, one missing": ["9007199254740993", "9007199254740992", "1", "", "123456789012345678", "123456789012345679", "2", "3", "4", "5"],
    "real": ["1.5", "1", "1.0", "-0.0", "0", ".5", "5.", "1e2", "100", "+1.5"],
    "digits": ["0.1", "0.10000000000000001", "0.30000000000000004", "0.3", "1e22", "1e23", "5e-324", "1e-400", "2.2250738585072014e-308", "0"],
    "infinite": ["inf", "-inf", "Infinity", "1e400", "-1e400", "1", "NaN", "2", "+INF", "1.5"],
    "natural": ["18446744073709551615", "1", "9223372036854775808", "9223372036854775807", "1", "2", "3", "01", "5", "6"],
    "huge": ["18446744073709551616", "-1", "9", "10", "-99999999999999999999", "-100000000000000000000", "", "+9", "007", "0"],
    "truth": ["True", "false", "TRUE", "False", "true", "FALSE", "True", "tRuE", "False", "True"],
    "truth, one missing": ["True", "false", "", "False", "true", "FALSE", "True", "True", "NA", "True"],
    "truth and numbers": ["True", "1", "False", "0", "True", "1", "0", "2", "False", "True"],
    "number and text": ["1", "2", "10", "x", "1", "2", "10", "1.0", "01", "x"],
    "nearly numbers": ["1e", "0x10", "1_000", "--1", "+", "1 2", "1,5", ".", "e5", "1e+"],
    "letters": ["é", "e", "z", "Ω", "日本", "😀", "e\u0301", "ß", "ﬀ", "é"],
    "blanks": [" a", "a", "a ", "\ta", " ", "  ", "a", " a", "a ", " "],
}


def write_hard(path):
    lines = []
    rows = [list(HARD)] + [list(row) for row in zip(*HARD.values())]
    rows[0][6] = "twice"
    for number, row in enumerate(rows):
        class Sink:
            def write(self, text):
                lines.append(text)
        quoting = csv.QUOTE_ALL if number % 3 else csv.QUOTE_MINIMAL
        csv.writer(Sink(), lineterminator=["\r\n", "\n", "\r"][number % 3 if number < 9 else 0], quoting=quoting).writerow(row)
        if number in (2, 5):
            lines.append("  \r\n\n")
    path.write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode())


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def columns(path):
    frame = pd.read_csv(path, low_memory=False)
    result = []
    for name in frame:
        values = frame[name].astype("category").cat
        names = [str(category) for category in values.categories]
        result.append({
            "name": name,
            "dtype": str(frame[name].dtype),
            "count": len(names),
            "names": names[:10],
            "names_sha256": sha256("".join(name + "\0" for name in names).encode()),
            "codes_sha256": sha256(values.codes.to_numpy().astype("<i8").tobytes()),
        })
    return {"rows": len(frame), "columns": result}


write_hard(HERE / "hard.csv")
files = {name: pathlib.Path(sys.argv[1]) / name for name in ("titanic.csv", "penguins.csv", "adult.csv")}
files["hard.csv"] = HERE / "hard.csv"
golden = {"pandas": pd.__version__, "files": {name: columns(path) for name, path in files.items()}}
(HERE / "categories.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
