"""Sections of tasks that read texts: where texts and labels stand, and what they are cut into."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from .kinds import Name, Names
from .sections import FILES, Section, own


class TextSection(Section):
    """How the user's texts and their labels are read."""

    text: str | None = Field(None, description="Column with the texts (found when not named).")
    label: Names = Field(
        (), description="Column with the labels (found when not named); with --multi-label also several of 0 and 1."
    )
    multi_label: bool = Field(False, description="A text has any number of labels, rather than exactly one.")
    separator: str = Field(
        "|", min_length=1, max_length=5, description="What stands between the labels of a text with --multi-label."
    )
    span_column: str | None = Field(
        None, description="Column that says which span a text belongs to: train, validation or test."
    )
    encoding: str = Field("utf-8", description="How texts are encoded: utf-8, latin-1, cp1252 ...")
    incomplete: Literal["error", "drop"] = Field(
        "error", description="What to do with rows that lack their text or their label."
    )


class TextSpanSection(Section):
    """How texts are shared out to training, validation and test."""

    spans: Names = Field(
        (),
        description="Shares of train, validation and test (0.7,0.15,0.15), or of train and validation where DATA "
        "itself tells which texts are for test (0.8,0.2).",
    )
    split: Literal["random", "last"] = Field(
        "random",
        description="Texts of validation and test are drawn at random, each label alike; or are the last ones of a "
        "file, as in the decks.",
    )


class TokenSection(Section):
    """What texts are cut into, and how much of them is read."""

    tokens: Literal["words", "characters", "bpe"] = Field(
        "words", description="What a text is cut into: words, characters, or pieces that byte-pair encoding finds."
    )
    vocabulary: int = own(
        10_000, ge=3, le=2_000_000, description="Most tokens that a network tells apart, the most frequent ones."
    )
    lowercase: bool = Field(True, description="Capital letters count as small ones.")
    punctuation: bool = Field(True, description="Among words, each punctuation mark is a token of its own.")
    length: int = own(500, ge=1, le=1_000_000, description="Most tokens of a text that a network reads.")
    truncate: Literal["front", "back"] = Field(
        "front", description="Where a longer text is cut: at its front, so that its end is read, or at its back."
    )


class CorpusSection(Section):
    """How a corpus is read, and what it is cut into."""

    text: str | None = Field(None, description="Column of a table with the texts (found when not named).")
    encoding: str = Field("utf-8", description="How texts are encoded: utf-8, latin-1, cp1252 ...")
    separator: str = Field(
        "\n", max_length=100, description="What stands between the files, or the rows, of which a corpus is made."
    )
    lowercase: bool = Field(False, description="Capital letters are read as small ones, as in the decks.")
    spans: Names = Field(
        (), description="Train, validation and test, in order: shares (0.8,0.1,0.1), or characters (the last: rest)."
    )
    store: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether files are read piece by piece into a store on disk rather than into memory; auto does so "
        "where they are large.",
    )
    cache_dir: Path | None = Field(
        None, description="Folder of stores (that of the platform's cache when not named); see 'foretell cache'."
    )


class TokenizerSection(Section):
    """What a corpus is cut into; all of it can be put together again."""

    tokens: Literal["characters", "bytes", "words", "bpe"] = Field(
        "characters",
        description="What a text is cut into: characters, bytes, words (rare ones are spelled), or pieces that "
        "byte-pair encoding finds.",
    )
    vocabulary: int | None = Field(
        None, ge=2, le=1_000_000, description="Most words (10,000 when not named), or pieces of bpe (1,000)."
    )


class PairSection(Section):
    """How pairs of sequences are read."""

    source: Name = Field(
        None, description="Where sources stand: a column, or the language that ends a file's name (found if one can)."
    )
    target: Name = Field(None, description="Where targets stand: likewise.")
    validation_data: Names = Field(
        (), description="Pairs of validation, where DATA hold none: files as DATA are.", json_schema_extra=FILES
    )
    test_data: Names = Field(
        (), description="Pairs of test, where DATA hold none: files as DATA are.", json_schema_extra=FILES
    )
    span_column: str | None = Field(
        None, description="Column that says which span a pair belongs to: train, validation or test."
    )
    encoding: str = Field("utf-8", description="How texts are encoded: utf-8, latin-1, cp1252 ...")
    spans: Names = Field(
        (), description="Shares of train, validation and test (0.8,0.1,0.1), of what DATA do not tell themselves."
    )


class PieceSection(Section):
    """What both sides of a pair are cut into."""

    tokens: Literal["bpe", "characters", "words"] = Field(
        "bpe", description="What both sides are cut into: pieces that byte-pair encoding finds, characters, or words."
    )
    vocabulary: int | None = Field(
        None, ge=2, le=1_000_000, description="Most pieces of both sides (8,000 when not named, or 30,000 words)."
    )
    lowercase: bool = Field(False, description="Capital letters are read, and written, as small ones.")
    max_length: int = Field(
        256, ge=1, le=100_000, description="Tokens of a side beyond which a pair is dropped, and counted."
    )
