import htmx from "htmx.org";

type Entry = FileSystemEntry & Partial<FileSystemDirectoryEntry> & Partial<FileSystemFileEntry>;

const AT_ONCE = 2;
const waitingFor: (() => Promise<void>)[] = [];
let running = 0;
let asked = 0;

/** Sends files dropped on the page or chosen in its form, one by one, and shows their progress. */
export function takeUploads(): void {
  if (document.querySelector("#uploads[data-analysed]")) void refresh();
  const form = document.querySelector<HTMLFormElement>("form[data-uploads]");
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "true";
  if (!document.querySelector("#uploads ul")) void tell(form.dataset.list!);
  const input = form.querySelector<HTMLInputElement>("input[type=file]")!;
  input.addEventListener("change", () => {
    for (const file of input.files ?? []) queue(form, file);
    input.value = "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    input.click();
  });
}

/** Reloads the page after a replay was analysed. */
async function refresh(): Promise<void> {
  document.getElementById("uploads")!.removeAttribute("data-analysed");
  const content = document.getElementById("content");
  // Not while the user fills in a form.
  if (!content || content.contains(document.activeElement)) return;
  await htmx.ajax("GET", location.pathname + location.search, { source: "#sending", target: "#content", select: "#content", swap: "outerHTML" });
}

let over = 0;
document.addEventListener("dragenter", (event) => show(event, 1));
document.addEventListener("dragleave", (event) => show(event, -1));
document.addEventListener("dragover", (event) => {
  if (form() && hasFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const to = form();
  over = 0;
  document.body.classList.remove("dropping");
  if (!to || !hasFiles(event)) return;
  event.preventDefault();
  // The list is empty after this event.
  const entries = [...event.dataTransfer!.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const plain = entries.length ? [] : [...event.dataTransfer!.files];
  for (const file of plain) queue(to, file);
  void Promise.all(entries.map((entry) => everyFile(entry as Entry, (file) => queue(to, file))));
});

function form(): HTMLFormElement | null {
  return document.querySelector<HTMLFormElement>("form[data-uploads]");
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function show(event: DragEvent, change: number): void {
  if (!form() || !hasFiles(event)) return;
  over = Math.max(0, over + change);
  document.body.classList.toggle("dropping", over > 0);
}

/** Returns the files of a folder and its subfolders. */
async function everyFile(entry: Entry, take: (file: File) => void): Promise<void> {
  if (entry.isFile) return new Promise((done) => entry.file!((file) => (take(file), done()), () => done()));
  const reader = entry.createReader!();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done) => reader.readEntries(done, () => done([])));
    if (!some.length) return;
    for (const each of some) await everyFile(each as Entry, take);
  }
}

function queue(to: HTMLFormElement, file: File): void {
  const line = document.createElement("li");
  const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
  const said = document.createElement("span");
  said.textContent = to.dataset.waiting!;
  bar.setAttribute("aria-label", file.name);
  const name = document.createElement("bdi");
  name.textContent = file.name;
  line.append(name, bar, said);
  const list = document.getElementById("sending")!;
  list.hidden = false;
  list.append(line);
  waitingFor.push(() => send(to, file, line, bar, said));
  next();
}

function next(): void {
  while (running < AT_ONCE && waitingFor.length) {
    running += 1;
    void waitingFor.shift()!().finally(() => {
      running -= 1;
      next();
    });
  }
}

async function send(to: HTMLFormElement, file: File, line: HTMLElement, bar: HTMLProgressElement, said: HTMLElement): Promise<void> {
  const texts = to.dataset;
  for (let tries = 0; ; tries += 1) {
    said.textContent = texts.sending!;
    const { status, answer, refused, wait } = await post(to, file, (share) => (bar.value = share));
    if (status === 202 || status === 200) {
      line.remove();
      for (const each of refused) refuse(each.file_name, each.detail);
      document.getElementById("sending")!.hidden = !document.querySelector("#sending li");
      await tell(texts.list!);
      return;
    }
    if (status === 429 && tries < 5) {
      said.textContent = texts.later!;
      await new Promise((done) => setTimeout(done, 1000 * Math.max(1, wait)));
      continue;
    }
    bar.remove();
    said.textContent = answer.replace(`${file.name}: `, "") || texts.failed!;
    line.classList.add("error");
    return;
  }
}

/** From here on the server reports on uploads, and says to ask again while work goes on. */
async function tell(address: string): Promise<void> {
  const mine = ++asked;
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  const place = document.getElementById("uploads");
  // A later answer is newer.
  if (!response.ok || !place || mine !== asked) return;
  place.outerHTML = await response.text();
  htmx.process(document.getElementById("uploads")!);
}

/** A zip may be accepted in part. */
function refuse(name: string, why: string): void {
  const line = Object.assign(document.createElement("li"), { className: "error" });
  const bold = document.createElement("bdi");
  bold.textContent = name;
  line.append(bold, ` ${why}`);
  document.getElementById("sending")!.append(line);
}

interface Sent {
  status: number;
  answer: string;
  refused: { file_name: string; detail: string }[];
  wait: number;
}

function post(to: HTMLFormElement, file: File, progress: (share: number) => void): Promise<Sent> {
  return new Promise((done) => {
    // fetch reports no progress of uploads.
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file, file.name);
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(loaded / total));
    request.addEventListener("loadend", () => {
      const wait = Number(request.getResponseHeader("retry-after") ?? 0);
      const reply = read(request.responseText);
      done({ status: request.status, answer: reply.detail ?? "", refused: reply.data?.refused ?? [], wait });
    });
    request.open("POST", to.dataset.uploads!);
    request.setRequestHeader("X-CSRF-Token", to.querySelector<HTMLInputElement>("[name=csrf_token]")!.value);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  });
}

function read(text: string): { detail?: string; data?: Pick<Sent, "refused"> } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
