// Before anything is drawn: the colours that were chosen on this machine.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Where nothing may be kept, the system's colours stand.
}
