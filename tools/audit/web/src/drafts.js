// What a person has begun to say of a task, kept in this tab: it outlives a reload, a lost session and an undo.
const KEPT = 50;

let person = "";
const name = (task) => `draft ${person} ${task.task_id} ${task.text_sha256}`;

export function startDrafts(alias) {
  person = alias; // two people may work in one browser, one after the other
}

export function keepDraft(task, draft) {
  const order = JSON.parse(sessionStorage.getItem("drafts") ?? "[]").filter((n) => n !== name(task));
  order.push(name(task));
  while (order.length > KEPT) sessionStorage.removeItem(order.shift());
  sessionStorage.setItem("drafts", JSON.stringify(order));
  sessionStorage.setItem(name(task), JSON.stringify(draft));
}

export function draftOf(task) {
  return JSON.parse(sessionStorage.getItem(name(task)) ?? "null");
}
