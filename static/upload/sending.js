// Sends one file in pieces (tus 1.0). After a cut of the connection, however long, it goes on where it was; if the
// session has ended, as soon as the user has signed in again.

import { isRenewed, pageHeaders } from "../page/account.js";
import { base64, encode, isReadable, markOf } from "./files.js";
import { pauseBefore } from "./line.js";

const PIECE = 8 * 1024 * 1024; // bytes in a request: a proxy that limits bodies lets it through
const FAULTS = 5; // attempts after an error of the server that no waiting mends
const QUIET = 30000; // milliseconds without a byte sent after which a request is given up
const SUSPECT = 3000; // the same once the browser says that it has a connection again
const ANSWER = 300000; // milliseconds for the answer once all is sent: a long film is looked at as a whole
const AWAY = [502, 503, 504, 408, 429]; // answers of a server, or of a proxy, that cannot work for a while

// The server refuses the file. `final`: it always will. `twin`: the id of the keepsake that was made of the same file.
export class Refusal extends Error {}
// The user has canceled the upload.
export class Canceled extends Error {}
// The file was changed or moved since it was chosen.
export class Changed extends Error {}
// The connection was cut, or the server cannot answer now: trying again may help.
// `after`: milliseconds that the server asks to wait. `fault`: the server did answer, with an error of its own.
class Cut extends Error {
  constructor({ after = 0, fault = false } = {}) {
    super();
    Object.assign(this, { after, fault });
  }
}

// Does `send` when no other window is sending in this slot.
const inTurn = (slot, send) => (navigator.locks ? navigator.locks.request(`upload ${slot}`, send) : send());

// Aborts a request that has sent nothing for `QUIET`, or got no answer for `ANSWER` once all was sent: the browser does
// not notice every cut of a connection.
function abortWhenQuiet(request) {
  let moved = Date.now();
  let limit = QUIET;
  const giveUp = (quiet) => {
    if (Date.now() - moved >= quiet) request.abort();
  };
  const online = () => limit === QUIET && giveUp(SUSPECT);
  const timer = setInterval(() => giveUp(limit), 1000);
  addEventListener("online", online);
  request.upload.addEventListener("progress", () => {
    moved = Date.now();
  });
  request.upload.addEventListener("load", () => {
    moved = Date.now();
    limit = ANSWER;
  });
  request.addEventListener("loadend", () => {
    clearInterval(timer);
    removeEventListener("online", online);
  });
}

// Sends a request and returns it once it is answered. It is an XMLHttpRequest, because fetch does not tell how much of
// a body is sent. `item.request` is set, so that it can be aborted. Errors: Canceled, Cut.
function ask(method, where, { headers = {}, body = null, progress = null, item } = {}) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open(method, where);
    const all = { ...pageHeaders(), "Tus-Resumable": "1.0.0", ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    if (progress) request.upload.onprogress = (event) => progress(event.loaded);
    // If the session has ended, the same request is sent again once the user has signed in again.
    request.onload = async () => {
      const header = (name) => request.getResponseHeader(name);
      const renewed = await isRenewed(request.status, header).catch(() => false);
      if (renewed && !item.canceled) ask(method, where, { headers, body, progress, item }).then(done, fail);
      else done(request);
    };
    request.onerror = () => fail(new Cut());
    request.onabort = () => fail(item.canceled ? new Canceled() : new Cut());
    abortWhenQuiet(request);
    item.request = request;
    request.send(body);
  });
}

// Returns the sentence of an error answer.
function sentence(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return `${request.status} ${request.statusText}`;
  }
}

// Throws the error that an answer means: Cut if trying again may help, else Refusal.
function refuse(request) {
  const { status } = request;
  if (AWAY.includes(status)) throw new Cut({ after: 1000 * Number(request.getResponseHeader("Retry-After")) });
  // Another window sends this file, or the server has not ended the request that was cut.
  if (status === 423) throw new Cut();
  if (status >= 500 && status !== 507) throw new Cut({ fault: true });
  // 413 and 422 refuse the file itself, so sending it again would not help.
  throw Object.assign(new Refusal(sentence(request)), { final: [413, 422].includes(status) });
}

// Creates an upload and returns its offset. Errors: Refusal, Canceled, Cut.
async function announce(item) {
  const { file, head, mark } = item;
  const metadata = { filename: encode(file.name), mark: encode(mark), head: base64(head) };
  if (item.twin) metadata.anyway = encode("1");
  const headers = {
    "Upload-Length": file.size,
    "Upload-Metadata": Object.entries(metadata).map((pair) => pair.join(" ")).join(","),
  };
  const request = await ask("POST", "/upload/", { headers, item });
  const twin = request.getResponseHeader("Lacuna-Twin");
  if (twin) throw Object.assign(new Refusal(sentence(request)), { twin });
  if (request.status !== 201) refuse(request);
  item.where = request.getResponseHeader("Location");
  return 0;
}

// Returns how many bytes the server has of a file. An upload that the server does not know is created anew.
async function offsetOf(item, halfWay) {
  item.mark ??= await markOf(item.file).catch(() => {
    throw new Changed();
  });
  item.where ??= halfWay(item.mark);
  if (!item.where) return announce(item);
  const request = await ask("HEAD", item.where, { item });
  if (request.status === 200) return Number(request.getResponseHeader("Upload-Offset"));
  if (request.status === 404 || request.status === 410) return announce(item);
  return refuse(request);
}

// Sends all pieces. Returns the last answer.
async function sendPieces(item, halfWay) {
  let offset = await offsetOf(item, halfWay);
  for (;;) {
    const from = offset;
    item.show(from);
    const request = await inTurn(item.slot, () => {
      if (item.canceled) throw new Canceled();
      return ask("PATCH", item.where, {
        headers: { "Upload-Offset": from, "Content-Type": "application/offset+octet-stream" },
        body: item.file.slice(from, from + PIECE),
        progress: (sent) => item.show(Math.min(from + sent, item.file.size)),
        item,
      });
    });
    if (request.status !== 204 && request.status !== 409) refuse(request);
    const answered = request.getResponseHeader("Upload-Offset");
    if (answered === null) refuse(request);
    offset = Number(answered);
    if (request.status === 204 && offset === item.file.size) return request;
    if (request.status === 204 && offset <= from) throw new Cut({ fault: true });
  }
}

// Sends a file, until it has arrived or is refused. `halfWay` returns the address of an unfinished upload with a mark.
// Returns the keepsake's id and how many others look like it. Errors: Refusal with a sentence, Canceled, Changed.
export async function bring(item, halfWay) {
  let attempt = 0;
  let faults = 0;
  for (;;) {
    const before = item.offset;
    try {
      const answer = await sendPieces(item, halfWay);
      return {
        keepsake: answer.getResponseHeader("Lacuna-Keepsake"),
        alike: Number(answer.getResponseHeader("Lacuna-Alike")),
      };
    } catch (error) {
      if (!(error instanceof Cut)) throw error;
      if (!(await isReadable(item.file))) throw new Changed();
      if (item.offset > before) attempt = 0;
      faults = error.fault ? faults + 1 : 0;
      if (faults > FAULTS) throw new Refusal();
      if (attempt) item.rest();
      await pauseBefore(attempt, error.after);
      attempt += 1;
      if (item.canceled) throw new Canceled();
    }
  }
}

// Discards what has arrived of an upload. The server may still hold the aborted request for a moment (423).
export async function discard(where) {
  if (!where) return;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const answer = await ask("DELETE", where, { item: {} }).catch(() => null);
    if (answer && answer.status !== 423) return;
    await pauseBefore(attempt);
  }
}
