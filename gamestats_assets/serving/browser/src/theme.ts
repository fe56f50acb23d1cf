// Before anything is drawn: that there is JavaScript, and the colours that were chosen on this machine.
document.documentElement.dataset.js = "";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Where nothing may be kept, the system's colours stand.
}
