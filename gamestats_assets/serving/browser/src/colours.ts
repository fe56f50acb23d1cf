const changed = new EventTarget();

/** Shows the choice of colours, which needs this script. */
export function offerThemes(): void {
  for (const select of document.querySelectorAll<HTMLSelectElement>("[data-theme-choice]")) {
    if (select.dataset.ready) continue;
    select.dataset.ready = "true";
    select.value = document.documentElement.dataset.theme ?? "";
    select.closest<HTMLElement>("label")!.hidden = false;
    select.addEventListener("change", () => choose(select.value));
  }
}

function choose(theme: string): void {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // It applies until the user leaves the page.
  }
  changed.dispatchEvent(new Event("change"));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => changed.dispatchEvent(new Event("change")));

/** Calls back when the colours change, for drawings that use them. */
export function onColours(draw: () => void): () => void {
  changed.addEventListener("change", draw);
  return () => changed.removeEventListener("change", draw);
}

/** Returns a colour of the current styles. */
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
