// What the page knows of a file before it is sent: the group whose size limit it has, its first bytes, and the mark by
// which an upload that is half-way is recognised.

const HEAD = 2048; // bytes that are announced, so that a file is refused before it is sent
const SAMPLE = 64 * 1024; // bytes at the beginning, in the middle and at the end by which a file is recognised
const IGNORED = /^(\..*|thumbs\.db|desktop\.ini)$/i; // files that systems put into folders
const TAKEN = /^(image|audio|video)\/|^application\/pdf$|^text\/plain$/;
const TAKEN_NAMES = /\.(heic|heif|avif|tiff?|md|amr|flac|3gp|mov|mkv|m4a|opus)$/i;

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const text = (bytes) => String.fromCharCode(...bytes);

export const base64 = (bytes) => btoa(text(bytes));
export const encode = (words) => base64(new TextEncoder().encode(words));

// Returns the first bytes of a file. Errors: NotReadableError if it was changed or moved since it was chosen.
export const headOf = (file) => bytesOf(file.slice(0, HEAD));

// Returns whether a file can still be read: browsers refuse it once it was changed on the disk.
export const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

// Returns "film", "recording" or "picture", whose limit is that of a file with these first bytes.
export function groupOf(head, file) {
  const start = text(head.slice(0, 12));
  const kind = start.slice(8, 12);
  if (/^(RIFF|RF64)/.test(start) && kind === "WAVE") return "recording";
  if (start.startsWith("RIFF") && kind === "AVI ") return "film";
  if (/^(ID3|OggS|fLaC|#!AMR|\xff[\xe2\xe3\xf2\xf3\xfa\xfb])/.test(start)) return "recording";
  if (start.slice(4, 8) === "ftyp") {
    if (/^M4[AB] /.test(kind)) return "recording";
    return /^(hei|hev|mif1|msf1|avi[fs])/.test(kind) ? "picture" : "film";
  }
  if (start.startsWith("\x1aE\xdf\xa3")) return file.type.startsWith("audio/") ? "recording" : "film";
  return "picture";
}

// Returns a mark by which the same file is recognised, also on another device.
export async function markOf(file) {
  const middle = Math.floor(file.size / 2);
  const parts = [
    file.slice(0, SAMPLE),
    file.slice(middle, middle + SAMPLE),
    file.slice(Math.max(0, file.size - SAMPLE)),
  ];
  const samples = await new Blob(parts).arrayBuffer();
  if (!crypto.subtle) return `${file.size} ${file.lastModified} ${file.name}`; // a page without https
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", samples));
  return `${file.size} ${[...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

const read = (reader) => new Promise((done, fail) => reader.readEntries(done, fail));
const fileOf = (entry) => new Promise((done, fail) => entry.file(done, fail));
const isTaken = (file) => TAKEN.test(file.type) || TAKEN_NAMES.test(file.name);

// Adds the files of a folder, and of all folders in it, to `found.files`. Counts those of other kinds in `found.left`.
async function walk(folder, found) {
  const reader = folder.createReader();
  // A reader gives a hundred entries at a time.
  for (let entries = await read(reader); entries.length; entries = await read(reader)) {
    for (const entry of entries) {
      if (IGNORED.test(entry.name)) continue;
      if (entry.isDirectory) await walk(entry, found);
      else {
        const file = await fileOf(entry);
        if (isTaken(file)) found.files.push(file);
        else found.left += 1;
      }
    }
  }
}

// Returns the files that were dropped or pasted, those in folders too, and how many files of folders were left out.
export async function filesOf(transfer) {
  const found = { files: [], left: 0 };
  // What is dropped can be read only until this function waits for the first time.
  const dropped = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  for (const [entry, file] of dropped) {
    if (entry?.isDirectory) await walk(entry, found).catch(() => {});
    else if (file) found.files.push(file);
  }
  return found;
}
