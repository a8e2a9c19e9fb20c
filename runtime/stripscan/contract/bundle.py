"""The bundle: a folder or one zip with a model, its manifest and golden frames.

Nothing of a bundle is used unless its size and sha256 are those of the manifest. That finds
damage and mix-ups; who made the bundle is told by its signature, where it has one
(``contract.signature``).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stripscan.contract.archive import MAX_ENTRIES, MAX_TOTAL_BYTES, Archive, open_archive
from stripscan.contract.errors import BundleError
from stripscan.contract.manifest import MANIFEST_NAME, FileRecord, Manifest, ManifestDraft
from stripscan.contract.manifest_file import complete_manifest, manifest_bytes, parse_manifest
from stripscan.contract.packing import pack_folder, pack_zip, put_file, standing
from stripscan.contract.paths import check_distinct, safe_name
from stripscan.contract.signature import (
    MAX_SIGNATURE_BYTES,
    SIGNATURE_NAME,
    Signature,
    check_signed,
    parse_signature,
    sign_manifest,
    signature_bytes,
)

MAX_MANIFEST_BYTES: Final = 4 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose every file was found whole when it was opened.

    Attributes:
        path: The folder or zip.
        manifest: What it says of itself.
        raw_manifest: The bytes of ``manifest.json``, which are what is signed.
        signature: What lies beside the manifest; not checked yet, see :meth:`signed_by`.
    """

    path: Path
    manifest: Manifest
    raw_manifest: bytes = field(repr=False)
    signature: Signature | None

    @property
    def digest(self) -> str:
        """sha256 of ``manifest.json``, 64 hexadecimal digits: names the bundle's content."""
        return hashlib.sha256(self.raw_manifest).hexdigest()

    def signed_by(self, keys: Iterable[Ed25519PublicKey]) -> Ed25519PublicKey:
        """Return the one of these keys that signed the bundle.

        Raises:
            BundleError: It is not signed, or by none of them.
        """
        try:
            return check_signed(self.raw_manifest, self.signature, keys)
        except BundleError as error:
            raise BundleError(f"{self.path}: {error}") from error

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; these very bytes were checked against the manifest.

        Args:
            name: A key of ``manifest.files``.

        Raises:
            BundleError: The bundle has no such file, or it was changed or damaged.
        """
        if name not in self.manifest.files:
            raise BundleError(f"{self.path}: has no file {name}: see files in its {MANIFEST_NAME}")
        with open_archive(standing(self.path)) as archive:
            if name not in archive.sizes:
                raise BundleError(f"{self.path}: {name} is gone: copy the bundle again")
            return b"".join(_verified(self.path, archive, name, self.manifest.files[name]))


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and check all of it.

    Args:
        path: A folder or a zip, told apart by content. A folder whose replacement was interrupted
            is read where it was set aside.

    Raises:
        BundleError: It is missing, damaged, incomplete, of a newer version, or unsafe.
    """
    with open_archive(standing(path)) as archive:
        raw = _read_manifest(path, archive)
        try:
            manifest = parse_manifest(raw)
            signature = _read_signature(archive)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        _check_listing(path, archive.sizes, manifest.files)
        for name, record in manifest.files.items():
            for _ in _verified(path, archive, name, record):
                pass
    return Bundle(path=path, manifest=manifest, raw_manifest=raw, signature=signature)


def write_bundle(destination: Path, draft: ManifestDraft, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle, replacing the one that is there whole or not at all.

    It is not signed, whatever the one that was there was.

    Args:
        destination: A zip where the name ends in ``.zip``, else a folder. Its parent exists.
        draft: The manifest; sizes and hashes are filled in.
        files: Bytes by name, every file except ``manifest.json`` and ``manifest.sig``; read once
            each, in order of name.

    Returns:
        The bundle, opened and checked as it lies on the disk.

    Raises:
        BundleError: A name is unsafe, a file is missing, something else is in the way, or the
            disk is full. What was at ``destination`` is untouched.
    """
    _check_names(destination, files)
    _write(destination, _entries(draft, files))
    return open_bundle(destination)


def sign_bundle(path: Path, key: Ed25519PrivateKey, *, out: Path | None = None) -> Bundle:
    """Sign a bundle, in place of a signature that it may have; ``manifest.json`` stays as it is.

    A crash leaves the bundle as it was or signed, never anything between.

    Args:
        path: The bundle.
        key: The private key.
        out: Where a signed copy is written, as by :func:`write_bundle`, and ``path`` left alone.

    Returns:
        The signed bundle, opened and checked as it lies on the disk.

    Raises:
        BundleError: It is no bundle or is damaged, or cannot be written.
    """
    bundle = open_bundle(path)
    _check_names(path, bundle.manifest.files)  # a file more must not make it too many
    signed = signature_bytes(sign_manifest(bundle.raw_manifest, key))
    if out is not None:
        _write(out, _signed_entries(bundle, signed))
    elif (folder := standing(path)).is_dir():
        with _write_faults(path):
            put_file(folder, SIGNATURE_NAME, signed)
    else:
        with _write_faults(path):
            pack_zip(path, _signed_entries(bundle, signed))
    return open_bundle(out or path)


def _write(destination: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip or a folder, as the name says, in place of an older bundle."""
    is_zip = destination.suffix.lower() == ".zip"
    if not is_zip:
        _check_replaceable(destination)
    with _write_faults(destination):
        pack = pack_zip if is_zip else pack_folder
        pack(destination, entries)


@contextmanager
def _write_faults(destination: Path) -> Iterator[None]:
    try:
        yield
    except BundleError as error:
        raise BundleError(f"{destination}: {error}") from error
    except OSError as error:
        raise BundleError(
            f"{destination}: cannot be written ({error.strerror or error}), what was there is "
            "untouched: check that the folder exists, may be written to, and has space"
        ) from error


def _signed_entries(bundle: Bundle, signed: bytes) -> Iterator[tuple[str, bytes]]:
    with open_archive(standing(bundle.path)) as archive:
        for name, record in sorted(bundle.manifest.files.items()):
            yield name, b"".join(_verified(bundle.path, archive, name, record))
    yield MANIFEST_NAME, bundle.raw_manifest
    yield SIGNATURE_NAME, signed


def _entries(draft: ManifestDraft, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield all files, and last the manifest, which makes them a bundle."""
    records: dict[str, FileRecord] = {}
    total = 0
    for name in sorted(files):
        data = files[name]
        digest = hashlib.sha256(data).hexdigest()
        records[name] = FileRecord(sha256=digest, size_bytes=len(data))
        total += len(data)
        if total > MAX_TOTAL_BYTES - MAX_MANIFEST_BYTES:
            raise BundleError(f"its files have more than {MAX_TOTAL_BYTES} bytes: leave some out")
        yield name, data
    raw = manifest_bytes(complete_manifest(draft, records))
    parse_manifest(raw)  # what cannot be read again must not replace what can
    yield MANIFEST_NAME, raw


def _check_names(destination: Path, files: Iterable[str]) -> None:
    """Check that files can lie in a bundle beside its manifest and its signature."""
    files = list(files)
    for own in (MANIFEST_NAME, SIGNATURE_NAME):
        if own in files:
            raise BundleError(f"{destination}: {own} is stripscan's own to write: leave it out")
    folders = {parent for name in files for parent in PurePosixPath(name).parents}
    if len(files) + len(folders) + 2 > MAX_ENTRIES:
        raise BundleError(
            f"{destination}: {len(files)} files in {len(folders)} folders are more than the "
            f"{MAX_ENTRIES} that a bundle may have: leave some out"
        )
    try:
        check_distinct([MANIFEST_NAME, SIGNATURE_NAME, *map(safe_name, files)])
    except ValueError as error:
        raise BundleError(f"{destination}: {error}") from error


def _check_replaceable(folder: Path) -> None:
    """Check that writing a folder removes nothing but an older bundle."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise BundleError(
            f"{folder}: a file or link is in the way of the folder: remove it, or end the name in "
            ".zip to write a single file"
        )
    if not folder.exists() or not any(folder.iterdir()):
        return
    with open_archive(folder) as archive:
        names = set(archive.sizes)
        try:
            manifest = parse_manifest(_read_manifest(folder, archive))
        except BundleError as error:
            raise BundleError(
                f"{folder}: holds something else than a whole bundle and is not replaced: move it "
                f"away, or write to another folder ({error})"
            ) from error
    if foreign := sorted(names - {MANIFEST_NAME, SIGNATURE_NAME, *manifest.files}):
        raise BundleError(
            f"{folder}: is not replaced, as {foreign[0]} in it is no part of the bundle: move the "
            "file away, or write to another folder"
        )


def _read_manifest(path: Path, archive: Archive) -> bytes:
    size = archive.sizes.get(MANIFEST_NAME)
    if size is None:
        inner = sorted(n for n in archive.sizes if n.endswith(f"/{MANIFEST_NAME}"))
        hint = (
            f"the bundle is in {inner[0].rpartition('/')[0]} inside" if inner else "it is not one"
        )
        raise BundleError(f"{path}: has no {MANIFEST_NAME}: give the path of a bundle; {hint}")
    if size > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{path}: {MANIFEST_NAME} has {size} bytes, more than {MAX_MANIFEST_BYTES}: "
            "it is no bundle"
        )
    return b"".join(archive.chunks(MANIFEST_NAME))


def _read_signature(archive: Archive) -> Signature | None:
    if SIGNATURE_NAME not in archive.sizes:
        return None
    if archive.sizes[SIGNATURE_NAME] > MAX_SIGNATURE_BYTES:
        raise BundleError(f"{SIGNATURE_NAME} is too large to be one: copy the bundle again")
    return parse_signature(b"".join(archive.chunks(SIGNATURE_NAME)))


def _check_listing(path: Path, sizes: Mapping[str, int], files: Mapping[str, FileRecord]) -> None:
    """Check that the files are those of the manifest and have their sizes."""
    if missing := sorted(set(files) - set(sizes)):
        raise BundleError(f"{path}: {missing[0]} is missing: copy the bundle again")
    if SIGNATURE_NAME in files:
        raise BundleError(f"{path}: its manifest lists {SIGNATURE_NAME}: it is no bundle")
    if extra := sorted(set(sizes) - set(files) - {MANIFEST_NAME, SIGNATURE_NAME}):
        raise BundleError(f"{path}: {extra[0]} is not in the manifest: remove it from the bundle")
    for name, record in files.items():
        if sizes[name] != record.size_bytes:
            raise BundleError(
                f"{path}: {name} has {sizes[name]} bytes, the manifest says {record.size_bytes}: "
                "the file was changed or damaged; copy the bundle again"
            )


def _verified(path: Path, archive: Archive, name: str, record: FileRecord) -> Iterator[bytes]:
    """Yield a file's bytes, and fail after the last where they are not the manifest's."""
    found = hashlib.sha256()
    for chunk in archive.chunks(name):
        found.update(chunk)
        yield chunk
    if found.hexdigest() != record.sha256:
        raise BundleError(
            f"{path}: {name} has sha256 {found.hexdigest()[:12]}…, the manifest says "
            f"{record.sha256[:12]}…: the file was changed or damaged; copy the bundle again"
        )
