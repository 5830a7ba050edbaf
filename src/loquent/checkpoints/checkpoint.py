"""A checkpoint: a description of a network, its weights under our names, and its tokenizer."""

from functools import cached_property
from pathlib import Path

from loquent.checkpoints.contents import Card, Contents
from loquent.errors import CheckpointError

__all__ = ["Card", "Checkpoint"]


class Checkpoint(Contents):
    """A network that can be executed: what it is, its weights and its tokenizer."""

    @classmethod
    def open(cls, path: Path, *, allow_pickle: bool = False) -> "Checkpoint":
        """Open a Hugging Face folder, a .safetensors file beside its config.json, or a .gguf file.

        Raises CheckpointError with the file and the place of everything that is not as it should
        be, and ConfigError for settings of a network that is not executed here.
        """
        # imported only here: what is kept of a checkpoint opens without it
        from loquent.checkpoints.opening import open_contents  # noqa: PLC0415

        return cls(**vars(open_contents(path, allow_pickle=allow_pickle)))

    def save(self, folder: Path, *, shard_bytes: int = 5 * 10**9) -> None:
        """Write a new folder that Loquent and transformers open.

        Weights are written as float32, in files of about `shard_bytes`. Raises CheckpointError
        where the folder exists, and ConfigError where the family cannot express the network.
        """
        if self.card.executor != "loquent":
            raise CheckpointError(
                "is executed by transformers, and saved by it only.", where=self.card.name
            )
        from loquent.checkpoints.families import FAMILIES  # noqa: PLC0415  # seldom needed
        from loquent.checkpoints.saving import write_folder  # noqa: PLC0415

        write_folder(
            folder,
            FAMILIES[self.card.family],
            self.config,
            self.weights,
            generation=self.generation,
            tokenizer=self.tokenizer,
            source_tokenizer=self.source_tokenizer,
            sentences=self.sentences,
            license=self.card.license,
            card=self.card.text,
            shard_bytes=shard_bytes,
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the file of the weights, in hexadecimal.

        Where there are several, it is that of their SHA-256; where there is none, of the weights.
        """
        if self.known:
            return self.known
        from hashlib import file_digest, sha256  # noqa: PLC0415  # brings OpenSSL; seldom needed

        digests = []
        for path in self.files:
            with path.open("rb") as file:
                digests.append(file_digest(file, "sha256"))
        if len(digests) == 1:
            return digests[0].hexdigest()
        digest = sha256(b"".join(each.digest() for each in digests))
        for name in () if self.files else sorted(self.weights):
            array = self.weights[name]
            digest.update(f"{name} {array.dtype} {array.shape};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()
