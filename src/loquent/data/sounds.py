"""Records of folders with sounds and what is said in them, in the layouts in which they come.

A table of transcripts (LJSpeech's `metadata.csv` without a header, `transcripts.tsv`, LibriSpeech's
`*.trans.txt`), a text beside each sound, or a folder for each command.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from loquent.data.reading import Record
from loquent.errors import DataError, nearest

ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
AUDIO = ("audio", "audio_filepath", "file", "path", "wav")  # usual names of the column
_TABLES = ("metadata.csv", "transcripts.csv", "transcripts.tsv", "transcripts.txt")
_PLACES = ("", "wavs", "clips", "audio", "recordings")  # folders of the sounds beside a table


def located(record: Record, base: Path) -> Record:
    """The same record with `audio` as a path from where one works; raises DataError."""
    lowered = {str(name).lower(): name for name in record.values}
    found = next((lowered[name] for name in AUDIO if name in lowered), None)
    value = record.values[found] if found is not None else None
    if isinstance(value, Mapping):  # as the library datasets has it
        value = value.get("path")
    if not isinstance(value, str) or not value:
        names = ", ".join(repr(str(name)) for name in record.values)
        raise DataError(
            "has no path of a sound in a column 'audio'.",
            where=record.where,
            fix=f"The record has {names}." if names else "The record is empty.",
        )
    others = {name: each for name, each in record.values.items() if name != found}
    return replace(record, values={"audio": str(base / Path(value).expanduser()), **others})


def sound_records(folder: Path) -> Iterator[Record]:
    """Records {audio, text} or {audio, label} of a folder; raises DataError for any other layout.

    A table says what is said; else a text beside each sound does; else the folder of each sound is
    its label.
    """
    tables = [folder / name for name in _TABLES if (folder / name).is_file()]
    tables = tables or sorted(folder.rglob("*.trans.txt"))
    if tables:
        index = 0
        for table in tables:
            for record in _of_table(table):
                yield replace(record, index=index)
                index += 1
        return
    sounds = sorted(each for each in folder.rglob("*") if each.suffix.lower() in ENDINGS)
    if not sounds:
        raise DataError(
            "holds no sounds.", where=str(folder), fix=f"Known endings: {', '.join(ENDINGS)}."
        )
    spoken = all(each.with_suffix(".txt").is_file() for each in sounds)
    if not spoken and any(each.parent == folder for each in sounds):
        raise DataError(
            "does not say what is said in its sounds.",
            where=str(folder),
            fix="Add transcripts.tsv (name, tab, text), a .txt beside each sound, or a folder for "
            "each command.",
        )
    for index, sound in enumerate(sounds):
        where = sound.relative_to(folder).as_posix()
        if spoken:
            said = {"text": sound.with_suffix(".txt").read_text(encoding="utf-8").strip()}
        else:
            said = {"label": sound.parent.name}
        yield Record({"audio": str(sound), **said}, where, index)


def _of_table(table: Path) -> Iterator[Record]:
    """Lines of a name, a sign and a text, of which the last is what is read aloud."""
    sign = {".csv": "|", ".tsv": "\t"}.get(table.suffix)
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    if sign is None:
        sign = "\t" if any("\t" in line for line in lines[:10]) else " "
    elif sign == "|" and not any("|" in line for line in lines[:10]):
        sign = ","
    for number, line in enumerate(lines, 1):
        where = f"{table.name}:{number}"
        name, *texts = line.split(sign, 1 if sign in " ," else -1)
        text = next((each.strip() for each in reversed(texts) if each.strip()), "")
        if number == 1 and name.strip().lower() in (*AUDIO, "name", "id"):
            continue
        if line.strip() and not text:
            raise DataError("has no text behind a name.", where=where)
        if line.strip():
            yield Record(
                {"audio": str(_sound(table.parent, name.strip(), where)), "text": text},
                where,
                number,
            )


def _sound(folder: Path, name: str, where: str) -> Path:
    """The file of a name with or without its ending, in the folder or one beside the table."""
    for place in _PLACES:
        for ending in ("", *ENDINGS):
            path = folder / place / f"{name}{ending}"
            if path.is_file():
                return path
    beside = [each.stem for each in folder.iterdir()]
    raise DataError(f"there is no sound {name!r}.", where=where, fix=nearest(name, beside)[:200])
