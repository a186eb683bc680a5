const { root } = document.documentElement.dataset;

new PagefindUI({
  element: '#search',
  // Where the site lies is known only here: pages are the same at any path.
  baseUrl: new URL(root, location.href).pathname,
  showImages: false,
  showSubResults: true,
  resetStyles: false,
});

// Its title alone is no name for every reader.
document.querySelector('#search input').setAttribute('aria-label', 'Search the documentation');
