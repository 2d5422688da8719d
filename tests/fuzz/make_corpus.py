# Writes the files that the fuzz targets start from: one valid file of each kind, and one for each thing that can be wrong.
import gzip
import json
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def write(reader, name, data):
    folder = os.path.join(HERE, "corpus", reader)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def packed(data):
    return gzip.compress(data, mtime=0)


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_bert():
    config = {"model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
              "intermediate_size": 1536, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": None}
    module = lambda type, path: {"idx": 0, "name": "0", "path": path, "type": "sentence_transformers.models." + type}
    shapes = {"embeddings.word_embeddings.weight": [3, 2], "embeddings.position_embeddings.weight": [1, 2],
              "embeddings.token_type_embeddings.weight": [1, 2], "embeddings.LayerNorm.gamma": [2], "embeddings.LayerNorm.beta": [2]}
    tensors, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * (shape[0] * 2 if len(shape) == 2 else 2)
        tensors["bert." + name] = tensor("F16", shape, end, end + size)
        end += size
    cases = {
        "config": config, "minimal": {"model_type": "bert"}, "no_type": {}, "other": {"model_type": "gpt2"},
        "string": {**config, "hidden_size": "384"}, "huge": {**config, "vocab_size": 1 << 62}, "real": {**config, "vocab_size": 1e99},
        "negative": {**config, "num_hidden_layers": -1}, "heads": {**config, "num_attention_heads": 5},
        "dropout": {**config, "hidden_dropout_prob": 2}, "act": {**config, "hidden_act": ["gelu"]},
        "modules": [module("Transformer", ""), module("Pooling", "1_Pooling"), module("Dense", "2_Dense"), module("Normalize", "3_Normalize")],
        "modules_up": [module("Transformer", "../..")], "modules_order": [module("Pooling", ""), module("Transformer", "")],
        "modules_number": [1], "modules_none": [], "modules_type": [{"type": 3}],
        "pooling": {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
        "pooling_two": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "pooling_new": {"pooling_mode": "max"}}
    for name, case in cases.items():
        write("bert", name, json.dumps(case).encode())
    write("bert", "deep", b'{"model_type":' * 400)
    write("bert", "cut", json.dumps(config).encode()[:90])
    write("bert", "nul", b'{"model_type": "bert"}\0')
    write("bert", "latin", b'{"model_type": "bert", "hidden_act": "gel\xfc"}')
    write("bert", "weights", safetensors(tensors, bytes(end)))
    write("bert", "weights_more", safetensors({**tensors, "classifier.weight": tensor("F32", [1], end, end + 4)}, bytes(end + 4)))
    del tensors["bert.embeddings.LayerNorm.beta"]
    write("bert", "weights_fewer", safetensors(tensors, bytes(end - 4)))


def make_safetensors():
    two = {"__metadata__": {"format": "pt"}, "a": tensor("F32", [2, 3], 0, 24), "b": tensor("BOOL", [2], 24, 26)}
    cases = {
        "two": safetensors(two, bytes(26)),
        "empty": safetensors({}),
        "scalar": safetensors({"s": tensor("I64", [], 0, 8)}, bytes(8)),
        "no_elements": safetensors({"s": tensor("F16", [0, 3], 0, 0), "t": tensor("U8", [1], 0, 1)}, b"x"),
        "hole": safetensors({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 2, 3)}, bytes(3)),
        "overlap": safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, bytes(3)),
        "outside": safetensors({"a": tensor("U8", [9], 0, 9)}, bytes(3)),
        "backwards": safetensors({"a": tensor("U8", [1], 3, 2)}, bytes(3)),
        "size": safetensors({"a": tensor("F64", [1], 0, 4)}, bytes(4)),
        "overflow": safetensors({"a": tensor("F64", [1 << 40, 1 << 40], 0, 4)}, bytes(4)),
        "huge_number": safetensors({"a": tensor("U8", [1 << 70], 0, 4)}, bytes(4)),
        "negative": safetensors({"a": tensor("U8", [-1], 0, 4)}, bytes(4)),
        "rest": safetensors({"a": tensor("U8", [1], 0, 1)}, bytes(9)),
        "dtype": safetensors({"a": tensor("I16", [1], 0, 2)}, bytes(2)),
        "boolean": safetensors({"a": tensor("BOOL", [1], 0, 1)}, b"\x02"),
        "ranks": safetensors({"a": tensor("U8", [1] * 9, 0, 1)}, b"a"),
        "twice": safetensors(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "two_dtypes": safetensors(b'{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "missing": safetensors(b'{"a":{"dtype":"U8","shape":[0]}}'),
        "unknown": safetensors(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":{}}}'),
        "metadata": safetensors({"__metadata__": {"a": 1}}),
        "list": safetensors(b"[1]"),
        "utf8": safetensors(b'{"\xff\xfe":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "escape": safetensors(b'{"\\u00e9\\ud83d\\ude00":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "surrogate": safetensors(b'{"\\ud83d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "nul": safetensors(b'{}\0\0"'),
        "spaces": safetensors(b"{}      "),
        "length": safetensors({}, length=1 << 63),
        "length_100MB": safetensors({}, length=100_000_001),
        "short": b"\x02\0\0",
    }
    for name, data in cases.items():
        write("safetensors", name, data)


def npy(text, data=b"", version=(1, 0), length=None):
    text = text.encode("latin1")
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text + data


def make_npy():
    good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
    cases = {
        "good": npy(good, bytes(24)),
        "version2": npy(good, bytes(24), (2, 0)),
        "version3": npy(good, bytes(24), (3, 0)),
        "version4": npy(good, bytes(24), (4, 0)),
        "fortran": npy(good.replace("False", "True"), bytes(24)),
        "one": npy(good.replace("(2, 3)", "(6,)"), bytes(24)),
        "number": npy(good.replace("(2, 3)", "(6)"), bytes(24)),
        "scalar": npy(good.replace("(2, 3)", "()"), bytes(4)),
        "boolean": npy(good.replace("<f4", "|b1"), bytes(5) + b"\x07"),
        "big_endian": npy(good.replace("<f4", ">f4"), bytes(24)),
        "object": npy(good.replace("<f4", "|O"), bytes(24)),
        "record": npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", bytes(4)),
        "overflow": npy(good.replace("(2, 3)", "(4611686018427387904, 9)"), bytes(24)),
        "huge": npy(good.replace("(2, 3)", "(99999999999999999999,)"), bytes(24)),
        "negative": npy(good.replace("(2, 3)", "(-2, 3)"), bytes(24)),
        "ranks": npy(good.replace("(2, 3)", "(1,1,1,1,1,1,1,1,1)"), bytes(4)),
        "rest": npy(good, bytes(25)),
        "truncated": npy(good, bytes(23)),
        "twice": npy("{'descr': '<f4', 'descr': '<f4'}"),
        "missing": npy("{'descr': '<f4', 'shape': (1,)}"),
        "length": npy(good, length=65535),
        "length2": npy(good, version=(2, 0), length=0xffffffff),
        "quote": npy("{'descr': '<f4"),
        "magic": b"\x93NUMPX\x01\0\0\0",
    }
    for name, data in cases.items():
        write("npy", name, data)


def idx(magic, extents, data):
    return struct.pack(">I", magic) + b"".join(struct.pack(">I", extent) for extent in extents) + data


def make_idx():
    images, labels = idx(2051, [2, 3, 3], bytes(range(18))), idx(2049, [4], b"\1\2\3\4")
    cases = {
        "images": images,
        "labels": labels,
        "images_gz": packed(images),
        "labels_gz": packed(labels),
        "truncated": images[:-1],
        "truncated_gz": packed(images)[:-9],
        "rest": images + b"x",
        "rest_gz": packed(images + b"x"),
        "short_gz": packed(images[:-1]),
        "magic": idx(2052, [2, 3, 3], bytes(18)),
        "none": idx(2051, [0, 28, 28], b""),
        "huge": idx(2051, [0xffffffff] * 3, b"abc"),
        "none_huge": idx(2051, [0, 0xffffffff, 0xffffffff], b""),
        "huge_gz": packed(idx(2051, [0xffffffff] * 3, b"abc")),
        "large_gz": packed(idx(2051, [60000, 280, 28], bytes(500_000))),
        "short": images[:7],
    }
    for name, data in cases.items():
        write("idx", name, data)


def make_gzip():
    text = b"a row of text, and a row of text, and a row of text"
    whole = packed(text)
    stored = zlib.compressobj(0, zlib.DEFLATED, 31)
    cases = {
        "text": whole,
        "two_members": whole + packed(b"more"),
        "empty": packed(b""),
        "stored": stored.compress(text) + stored.flush(),
        "zeros": packed(bytes(200_000)),
        "truncated": whole[:-3],
        "half": whole[: len(whole) // 2],
        "checksum": whole[:-8] + b"\0\0\0\0" + whole[-4:],
        "length": whole[:-1] + b"\1",
        "rest": whole + b"other bytes",
        "rest_zero": whole + bytes(8),
        "flags": b"\x1f\x8b\x08\xff" + whole[4:],
        "header": b"\x1f\x8b",
        "plain": text,
    }
    for name, data in cases.items():
        write("gzip", name, data)


def make_checkpoint():
    fields = {
        "format": "percale.checkpoint", "version": "1", "epoch": "3", "step": "17", "random.seed": "18446744073709551615",
        "random.step": "2830", "random.call": "0", "arguments": "--lr 0.001", "number.loss": "0x1.8p+1",
    }
    tensors = {"model.a": tensor("F32", [2], 8, 16), "optimizer.state.0.step": tensor("F64", [1], 0, 8)}

    def checkpoint(tensors=tensors, **changes):
        metadata = {key: value for key, value in {**fields, **changes}.items() if value is not None}
        return safetensors({"__metadata__": metadata, **tensors}, bytes(16))

    cases = {
        "good": checkpoint(),
        "format": checkpoint(format="pt"),
        "version": checkpoint(version="2"),
        "no_epoch": checkpoint(epoch=None),
        "negative": checkpoint(epoch="-1"),
        "overflow": checkpoint(step="9223372036854775808"),
        "spaces": checkpoint(step=" 1"),
        "call": checkpoint(**{"random.call": "4294967296"}),
        "number": checkpoint(**{"number.loss": "one"}),
        "nan": checkpoint(**{"number.loss": "nan", "number.": "-inf"}),
        "name": checkpoint({"a": tensor("F32", [4], 0, 16)}),
        "plain": safetensors({"a": tensor("U8", [1], 0, 1)}, b"a"),
    }
    for name, data in cases.items():
        write("checkpoint", name, data)


def make_vocabulary():
    cases = {
        "three": b"vocabulary 3 7\nthe 9\ncat 2\ndog 2\n",
        "text": "The cat\nand the \u00c4pfel\t\u0416uk\r\n".encode(),
        "empty": b"",
        "none": b"vocabulary 0 7\n",
        "twice": b"vocabulary 2 0\na 2\na 1\n",
        "rising": b"vocabulary 2 0\na 1\nb 2\n",
        "zero": b"vocabulary 1 0\na 0\n",
        "overflow": b"vocabulary 1 18446744073709551616\na 1\n",
        "many": b"vocabulary 18446744073709551615 0\na 1\n",
        "no_number": b"vocabulary 1 0\na b\n",
        "no_word": b"vocabulary 1 0\n 1\n",
        "space": b"vocabulary 1 0\na\tb 1\n",
        "more": b"vocabulary 1 0\na 1\nb 1\n",
        "no_line_end": b"vocabulary 1 0\na 1",
        "latin1": b"caf\xe9 au lait",
        "nul": b"a b\0c",
        "long": b"a" * 1001 + b" b " + b"c" * 1000,
    }
    for name, data in cases.items():
        write("vocabulary", name, data)


def make_csv():
    cases = {
        "plain": b"a,b\n1,x\n2,y\n",
        "quotes": b'a,"b,c"\r\n"x ""y""","one\r\ntwo"\r\n,""\r\n',
        "mark": b"\xef\xbb\xbf\"a\",b\r1,2\r\r 3 ,4",
        "numbers": b"a,b,c,d,e\n1,1.5,9223372036854775808,True,99999999999999999999\n-2,1e400,1,false,-1\n,nan,2,,NA\n",
        "overflow": b"a,b\n9223372036854775808,1e-400\n-1,-inf\n",
        "names": b",a,a,a.1\nx,y,z,\n",
        "one": b"a\n\"\"\n \n\" \"\n",
        "letters": "é,日本\n😀,ß\n".encode(),
        "no_rows": b"a,b\n",
        "no_header": b"1,2\n3,4\n",
        "unclosed": b'a,b\n1,"x\n',
        "behind": b'a,b\n1,"x"y\n',
        "short": b"a,b\n1\n",
        "long": b"a,b\n1,2,3\n",
        "latin": b"a,b\n1,caf\xe9\n",
        "nul": b"a,b\n1,\0\n",
        "packed": packed(b"a,b\n1,x\n2,y\n"),
        "empty": b"",
    }
    for name, data in cases.items():
        write("csv", name, data)


def make_tokenizer():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s", "\u00e9", "\u4e2d", "!"]
    lines = "".join(token + "\n" for token in tokens).encode()

    def document(**changes):
        def item(kind, name, type_id):
            return {kind: {"id": name, "type_id": type_id}}

        template = [item("SpecialToken", "[CLS]", 0), item("Sequence", "A", 0), item("SpecialToken", "[SEP]", 0),
                    item("Sequence", "B", 1), item("SpecialToken", "[SEP]", 1)]
        fields = {
            "truncation": None,
            "added_tokens": [{"id": 4, "content": "[MASK]", "special": True, "lstrip": True, "normalized": False}],
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "pair": template},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {token: i for i, token in enumerate(tokens)}},
        }
        return json.dumps({**fields, **changes}, separators=(",", ":")).encode()

    cases = {
        "vocab": lines,
        "vocab_crlf": lines.replace(b"\n", b"\r\n") + b"\n\n",
        "vocab_twice": lines + b"hello\n",
        "vocab_latin": lines + b"caf\xe9\n",
        "vocab_empty_line": b"[PAD]\n\n" + lines,
        "vocab_no_unknown": lines.replace(b"[UNK]", b"[unk]"),
        "vocab_nul": lines + b"\0\n\0\0\n",
        "json": document(),
        "json_bert": document(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}),
        "json_ids": document(model={"vocab": {"[UNK]": 1048575, "[CLS]": 1, "[SEP]": 0, "[PAD]": 7}}),
        "json_id": document(model={"vocab": {"a": 1 << 40}}),
        "json_negative": document(model={"vocab": {"a": -1}}),
        "json_list": document(model={"vocab": [["a", 0]]}),
        "json_nested": document(model={"vocab": {"a": {"b": [1]}}}),
        "json_twice": document().replace(b'"hello":5', b'"hello":5,"hello":50'),
        "json_bpe": document(model={"type": "BPE", "vocab": {}, "merges": []}),
        "json_prefix": document(model={"vocab": {t: i for i, t in enumerate(tokens)}, "continuing_subword_prefix": "",
                                       "max_input_chars_per_word": 0}),
        "json_added": document(added_tokens=[{"id": 11, "content": "\u00e9!", "rstrip": True}, {"id": 11, "content": "x"}]),
        "json_deep": b'{"model":' + b"[" * 40 + b"]" * 40 + b"}",
        "json_surrogate": b'{"model":{"vocab":{"\\ud83d":1}}}',
        "json_cut": document()[:-20],
        "config": b'{"do_lower_case":false,"strip_accents":true,"tokenize_chinese_chars":1}',
        "empty": b"",
    }
    for name, data in cases.items():
        write("tokenizer", name, data)


def make_wordpiece():
    cases = {
        "plain": "Hello hello. [MASK]aee [CLS]",
        "accents": "\u00e9 e\u0301 \u0130 \u1e9e \u0344a\u0f73",
        "moving": "e\u302f\u0301\u302e\u0323 \U0001d15e\U0001d165 \u08d4\u0334",
        "hangul": "\uac01\u1100\u1161\u11a8",
        "ideographs": "\u4e2d\uf900\U0002f800\U0002b820",
        "dropped": "a\u200b\0\ufeff\ufffd\u0085\u000bb\ue000",
        "spaces": "a\u3000b\u00a0\u2028\t\r\n c",
        "long": "e" * 120 + " " + "e\u0301" * 101,
    }
    for name, text in cases.items():
        write("wordpiece", name, text.encode())
    write("wordpiece", "cut", "\u4e2d\U0001f600".encode()[:-1])
    write("wordpiece", "bad", b"\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80 e\xe4\xb8e\xf0\x80")


make_tokenizer()
make_wordpiece()
def make_table_schema():
    whole = {
        "format": "percale.table", "version": 1,
        "categories": [
            {"name": "animal", "kind": "text", "names": ["bird", "cat", "\u00e4ffchen"]},
            {"name": "year", "kind": "whole", "names": ["-1", "7", "10"]},
            {"name": "large", "kind": "natural", "names": ["1", "18446744073709551615"]},
            {"name": "larger", "kind": "huge", "names": ["-100", "99", "18446744073709551616"]},
            {"name": "weight", "kind": "real", "names": ["-inf", "0.1", "1e+22"]},
            {"name": "size", "kind": "whole_as_real", "names": ["1.0", "2.0"]},
            {"name": "old", "kind": "truth", "names": ["False", "True"]},
        ],
        "numbers": [{"name": "age", "mean": 38.5, "deviation": 13.25}],
        "target": {"name": "income", "mean": 0.5, "deviation": 1.0},
    }

    def changed(**changes):
        return json.dumps({**whole, **changes}).encode()

    column = {"name": "a", "kind": "text", "names": ["b", "a"]}
    cases = {
        "whole": changed(),
        "class": changed(target={"name": "a", "kind": "text", "names": ["no", "yes"]}),
        "format": changed(format="x"),
        "version": changed(version=2),
        "kind": changed(categories=[{**column, "kind": "colour"}]),
        "order": changed(categories=[column]),
        "number": changed(categories=[{**column, "kind": "real"}]),
        "names": changed(categories=[{**column, "names": 3}]),
        "deviation": changed(numbers=[{"name": "age", "mean": 0, "deviation": 0}]),
        "mean": changed(numbers=[{"name": "age", "mean": "x", "deviation": 1}]),
        "no_target": changed(target=None),
        "empty": b"{}",
        "list": b"[]",
        "deep": b"[" * 1000,
        "half": changed()[:200],
    }
    for name, data in cases.items():
        write("table_schema", name, data)


def make_word2vec():
    row = struct.pack("<2f", 1.5, -2)
    cases = {
        "text": b"2 2\na 1 2\nb -0.5 1e-20\n",
        "text_spaces": b"2 2\r\na 1 2 \r\nb 3 4 \r\n",
        "gensim": b"2 2\na " + row + b"b " + row,
        "original": b"2 2\na " + row + b"\nb " + row + b"\n",
        "empty": b"",
        "no_width": b"2\na 1\n",
        "negative": b"-1 2\na 1 2\n",
        "many": b"1000000000 2\na 1 2\n",
        "wide": b"1 1000000000000\na 1 2\n",
        "overflow": b"99999999999999999999 2\na 1 2\n",
        "twice": b"2 1\na 1\na 2\n",
        "no_word": b"1 1\n 1\n",
        "nan": b"1 2\na nan 1\n",
        "infinite": b"1 2\na " + struct.pack("<2f", float("inf"), 0),
        "short": b"2 2\na " + row + b"b " + row[:5],
        "more": b"1 2\na " + row + b"b " + row,
    }
    for name, data in cases.items():
        write("word2vec", name, data)



make_csv()
make_table_schema()
make_bert()
make_safetensors()
make_vocabulary()
make_checkpoint()
make_npy()
make_idx()
make_gzip()
make_word2vec()
