// Runs a module of the course when its page is first shown: a learner who has never seen a notebook finds it ready to
// work on. Only notebooks in notebooks/training/ whose metadata say "kam": {"runs_on_open": true} are run, and once
// for each time they are opened; those that a restart brings back in other tabs wait until their tab is shown. Written
// by hand in the form JupyterLab loads extensions in (a module federation container), so that nothing has to be built.
var _JUPYTERLAB = _JUPYTERLAB || {};
_JUPYTERLAB['kam-course'] = (function () {
  'use strict';
  const FOLDER = /(^|\/)notebooks\/training\//;
  const SETTLED_MS = 3000; // widgets draw themselves for a while after the last cell has run
  const BY_HAND = ['wheel', 'touchmove', 'pointerdown', 'keydown'];

  // Holds a page at its top while it runs and its outputs grow, until the learner moves on it; a function that lets go.
  function holdAtTop(widget) {
    const node = widget.node;
    const top = () => {
      for (const pane of node.querySelectorAll('.jp-WindowedPanel-outer, .jp-Notebook')) pane.scrollTop = 0;
    };
    const release = () => {
      clearInterval(timer);
      node.removeEventListener('scroll', top, true);
      for (const kind of BY_HAND) node.removeEventListener(kind, release, true);
    };
    const timer = setInterval(top, 50);
    node.addEventListener('scroll', top, true);
    for (const kind of BY_HAND) node.addEventListener(kind, release, true);
    return release;
  }

  const isFolded = cell => cell.model.getMetadata('jp-MarkdownHeadingCollapsed') === true;

  // Folds chapters that are marked as folded: to run a cell opens the chapter it stands in.
  async function fold(app, widget, places) {
    for (const place of places) {
      widget.content.activeCellIndex = place;
      await app.commands.execute('notebook:move-cursor-heading-above-or-collapse');
    }
  }

  async function runOnce(app, widget, begun) {
    const context = widget && widget.context;
    if (!context || !widget.isVisible || begun.has(context) || !FOLDER.test(context.path || '')) return;
    begun.add(context);
    await context.ready;
    const kam = context.model.getMetadata ? context.model.getMetadata('kam') : undefined;
    if (!kam || !kam.runs_on_open) return;
    widget.addClass('kam-course'); // its folded code leaves no trace; View > Expand All Code shows it
    await context.sessionContext.ready;
    const kernel = context.sessionContext.session && context.sessionContext.session.kernel;
    if (kernel) await kernel.info;
    if (!widget.isVisible || app.shell.currentWidget !== widget) {
      begun.delete(context); // another tab came to the front meanwhile: this one runs when it is shown again
      return;
    }
    const release = holdAtTop(widget);
    const folded = [...widget.content.widgets.keys()].filter(place => isFolded(widget.content.widgets[place]));
    await app.commands.execute('notebook:run-all-cells', { semanticWidget: widget.id });
    await fold(app, widget, folded);
    context.model.dirty = false; // nothing was written by the learner: no autosave, no question when it is closed
    widget.content.activeCellIndex = 0;
    setTimeout(release, SETTLED_MS);
  }

  const plugin = {
    id: 'kam-course:run-on-open',
    autoStart: true,
    activate: app => {
      const style = document.createElement('style');
      style.textContent =
        '.kam-course .jp-InputPlaceholder, .kam-course .jp-Notebook-footer { display: none; }' +
        '.kam-course { --jp-notebook-scroll-padding: 2em; }' + // no blank page below the last chapter
        '.kam-course .jp-RenderedMarkdown > blockquote { border: 1px solid var(--jp-brand-color1);' +
        ' border-radius: 6px; padding: 8px 14px; margin: 4px 0; }';
      document.head.append(style);
      const begun = new WeakSet();
      const look = () => runOnce(app, app.shell.currentWidget, begun);
      app.restored.then(look);
      app.shell.currentChanged.connect(look);
      app.shell.layoutModified.connect(look); // a tab that was restored may come to the front without a change of focus
    }
  };

  return {
    init: () => undefined,
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin }))
  };
})();
