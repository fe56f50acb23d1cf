/** Copies the text that a button names, or selects it if copying is not allowed. */
export async function copy(button: HTMLElement): Promise<void> {
  const text = button.dataset.copy!;
  const said = document.getElementById("copied");
  try {
    await navigator.clipboard.writeText(text);
    if (said) said.textContent = said.dataset.copied!.replace("{text}", text);
  } catch {
    getSelection()?.selectAllChildren(button.previousElementSibling!);
    if (said) said.textContent = said.dataset.selected!.replace("{text}", text);
  }
}
