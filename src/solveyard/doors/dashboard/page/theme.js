// Before the first paint, so that no page flashes in the wrong colours: what was chosen here, else
// what the system prefers (the style sheet sees to that).
{
  const chosen = localStorage.getItem("solveyard-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
}
