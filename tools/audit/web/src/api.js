// Talks to the server. Every change carries the CSRF token of the session.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let csrf = "";

export function startSession(token) {
  csrf = token;
}

export async function post(path, body = {}) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error("the server does not answer"); // what a browser says of it is in no plain words
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, found.detail || `the server answered ${answer.status}`);
  return found;
}

// A decision is sent until the server has it. It has an id of its own, so that it counts once however often it is sent.
export async function sendUntilSaved(path, body, onTrouble) {
  for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
    try {
      return await post(path, body);
    } catch (error) {
      const passing = !(error instanceof Refused) || error.status === 429 || error.status >= 500;
      if (!passing) throw error;
      onTrouble(error.message);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

// Loads the pictures of a task ahead, and keeps them decoded as long as the task is queued.
export function preload(task) {
  const urls = (task.pictures ?? task.options ?? []).filter((p) => p.url && !p.panorama).map((p) => p.url);
  return urls.map((url) => {
    const picture = new Image();
    picture.src = url;
    return picture;
  });
}

// Resolves when a picture of the page can be seen, or cannot be loaded. Decoding is not waited for without an end.
export async function drawn(picture) {
  if (!picture.complete) await new Promise((done) => ["load", "error"].forEach((how) => picture.addEventListener(how, done, { once: true })));
  await Promise.race([picture.decode().catch(() => undefined), new Promise((done) => setTimeout(done, 500))]);
}
