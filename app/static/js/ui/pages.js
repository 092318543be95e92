/* Lists of several pages in a lightbox: the arrow keys continue on the next page, behind the lightbox, too. */

/**
 * The argument `pages` of `lightbox`.
 * @param {{page: number, list: {total: number, pages: number}, load: () => Promise<any>, items: () => any[]}} view
 *   `list`: what `load` got last, a new object each time. `items`: of it, for the lightbox.
 * @param {number} perPage
 */
export function pagesOf(view, perPage) {
  const currentPage = () => ({ items: view.items(), before: (view.page - 1) * perPage });
  return {
    total: view.list.total,
    before: currentPage().before,
    turn: async (by) => {
      const { list, page } = view;
      view.page = ((page - 1 + by + list.pages) % list.pages) + 1;
      await view.load();
      if (view.list !== list) return currentPage();
      view.page = page; // it can't be loaded now
      return null;
    },
  };
}
