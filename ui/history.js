// What a page writes into its address (the model, the point, the run) belongs to that page: it
// replaces the entry that the page has in the browser's history. Streamlit adds one each time, so
// that Back would lead through every point that was ever looked at, to the same page.
if (!globalThis.visageHistory) {
  globalThis.visageHistory = true;
  const add = history.pushState.bind(history);
  history.pushState = (state, unused, url) => {
    const samePage = new URL(url ?? "", location.href).pathname === location.pathname;
    if (samePage) history.replaceState(state, unused, url);
    else add(state, unused, url);
  };
}
