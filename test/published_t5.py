"""T5 as FLUX and CogVideoX publish it, at toy size."""

import io
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

T5 = {
    'd_model': 12,
    'd_ff': 16,
    'd_kv': 8,
    'num_heads': 2,
    'num_layers': 2,
    'vocab_size': 140,
    'feed_forward_proj': 'gated-gelu',
}
LETTERS = 'abcdefghi jklmnopq rstuvwxyz'


def write_t5_tokenizer(folder: Path, sentences: Sequence[str], length: int) -> None:
    """The published folder has a SentencePiece model, of which each word of ``sentences`` is a token, and no
    ``tokenizer.json``."""
    words = sorted({f'▁{word}' for sentence in sentences for word in sentence.split()})
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*sentences, LETTERS] * 20),
        model_writer=model,
        vocab_size=140,
        hard_vocab_limit=False,
        user_defined_symbols=words,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    folder.mkdir()
    (folder / 'spiece.model').write_bytes(model.getvalue())
    (folder / 'tokenizer_config.json').write_text(
        f'{{"eos_token": "</s>", "extra_ids": 100, "model_max_length": {length}, "pad_token": "<pad>", '
        '"unk_token": "<unk>", "legacy": true, "tokenizer_class": "T5Tokenizer"}'
    )
