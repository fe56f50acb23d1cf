// Runs before anything is drawn: marks that there is JavaScript, and applies the colours chosen on this machine.
document.documentElement.dataset.js = "";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Without storage, the system's colours apply.
}
