/** Opens the map of a match. */
export async function open(button: HTMLElement): Promise<void> {
  button.hidden = true;
}
