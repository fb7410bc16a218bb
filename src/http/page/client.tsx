// What the page does in a browser.

const search = document.querySelector<HTMLInputElement>('#q');

/** "/" leads to the search, as elsewhere. */
document.addEventListener('keydown', (pressed) => {
  if (pressed.key !== '/' || pressed.ctrlKey || pressed.metaKey || pressed.target instanceof HTMLInputElement) return;
  pressed.preventDefault();
  search?.focus();
});
