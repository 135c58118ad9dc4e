"""Bodies of the admin API that carry secrets, sealed with a key made of the caller's secret key.

The format is madmin's: 32 bytes of salt, the number of the cipher, 8 bytes of nonce, then chunks of
16 KiB with a tag of 16 bytes each (secure-io's DARE). The key is Argon2id of the secret. Servers
and clients seal and open alike; the randomness comes from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ingot.base.secret import Secret
from ingot.base.units import KIB, MIB

if TYPE_CHECKING:
    from Crypto.Cipher._mode_gcm import GcmMode
    from Crypto.Cipher.ChaCha20_Poly1305 import ChaCha20Poly1305Cipher

BYTES_MAX: Final = 1 * MIB
_SALT_BYTES: Final = 32
_NONCE_BYTES: Final = 8
# The salt and the nonce.
SEED_BYTES: Final = _SALT_BYTES + _NONCE_BYTES
_TAG_BYTES: Final = 16
_CHUNK_BYTES: Final = 16 * KIB
_HEAD_BYTES: Final = _SALT_BYTES + 1 + _NONCE_BYTES
_KEY_BYTES: Final = 32
_AES_GCM, _CHACHA20_POLY1305 = 0, 1
_ARGON2_PASSES: Final = 1
_ARGON2_KIB: Final = 64 * 1024
_ARGON2_LANES: Final = 4
# In front of what is authenticated beside a chunk: whether it is the last one.
_MORE, _LAST = b"\x00", b"\x80"


class UnreadableError(ValueError):
    """A body was not sealed with this secret, or was changed since."""


def seal(secret: Secret, data: bytes, seed: bytes) -> bytes:
    """Return data as only who has the secret can read it; blocking, and costs 64 MiB.

    Args:
        secret: of who asks, or of whoever is answered.
        data: what to seal.
        seed: `SEED_BYTES` random bytes, never the same twice.
    """
    assert len(seed) == SEED_BYTES, "it is the salt and the nonce"
    salt, nonce = seed[:_SALT_BYTES], seed[_SALT_BYTES:]
    stream = _Stream(secret, salt, _AES_GCM, nonce)
    chunks = [data[at : at + _CHUNK_BYTES] for at in range(0, len(data), _CHUNK_BYTES)] or [b""]
    return b"".join([salt, bytes((_AES_GCM,)), nonce, *stream.seal(chunks)])


def unseal(secret: Secret, sealed: bytes) -> bytes:
    """Return what was sealed; blocking, and costs 64 MiB.

    Raises:
        UnreadableError: it was not sealed with this secret, or changed since.
    """
    cipher = sealed[_SALT_BYTES] if len(sealed) > _HEAD_BYTES else -1
    if cipher not in {_AES_GCM, _CHACHA20_POLY1305}:
        raise UnreadableError
    nonce = sealed[_SALT_BYTES + 1 : _HEAD_BYTES]
    stream = _Stream(secret, sealed[:_SALT_BYTES], cipher, nonce)
    step = _CHUNK_BYTES + _TAG_BYTES
    chunks = [sealed[at : at + step] for at in range(_HEAD_BYTES, len(sealed), step)]
    try:
        return b"".join(stream.open(chunks))
    except ValueError as error:  # a tag is wrong, or cut
        raise UnreadableError from error


class _Stream:
    """The chunks of one body, numbered and bound to their order."""

    def __init__(self, secret: Secret, salt: bytes, cipher: int, nonce: bytes) -> None:
        self._kind = cipher
        self._key = _key(secret, salt)
        self._nonce = nonce
        self._bound = self._cipher(0).digest()

    def seal(self, chunks: list[bytes]) -> Iterator[bytes]:
        for number, chunk in enumerate(chunks, 1):
            cipher = self._cipher(number)
            cipher.update(self._beside(number, chunks))
            sealed, tag = cipher.encrypt_and_digest(chunk)
            yield sealed + tag

    def open(self, chunks: list[bytes]) -> Iterator[bytes]:
        for number, chunk in enumerate(chunks, 1):
            cipher = self._cipher(number)
            cipher.update(self._beside(number, chunks))
            yield cipher.decrypt_and_verify(chunk[:-_TAG_BYTES], chunk[-_TAG_BYTES:])

    def _beside(self, number: int, chunks: list[bytes]) -> bytes:
        return (_LAST if number == len(chunks) else _MORE) + self._bound

    def _cipher(self, number: int) -> GcmMode | ChaCha20Poly1305Cipher:
        """Return the cipher of one chunk; the one with the number 0 binds them together."""
        # Imported when somebody administers: it costs each worker some megabytes.
        from Crypto.Cipher import AES, ChaCha20_Poly1305

        nonce = self._nonce + number.to_bytes(4, "little")
        if self._kind == _AES_GCM:
            return AES.new(self._key, AES.MODE_GCM, nonce)
        return ChaCha20_Poly1305.new(key=self._key, nonce=nonce)


def _key(secret: Secret, salt: bytes) -> bytes:
    from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

    return hash_secret_raw(
        secret=secret.reveal().encode(),
        salt=salt,
        time_cost=_ARGON2_PASSES,
        memory_cost=_ARGON2_KIB,
        parallelism=_ARGON2_LANES,
        hash_len=_KEY_BYTES,
        type=Type.ID,
        version=ARGON2_VERSION,
    )
