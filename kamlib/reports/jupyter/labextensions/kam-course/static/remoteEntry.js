// Runs a module of the course when it is opened: a learner who has never seen a notebook finds it ready to work on.
// Only notebooks in notebooks/training/ whose metadata say "kam": {"runs_on_open": true} are run, and once for each
// time they are opened. Written by hand in the form JupyterLab loads extensions in (a module federation container),
// so that nothing has to be built.
var _JUPYTERLAB = _JUPYTERLAB || {};
_JUPYTERLAB['kam-course'] = (function () {
  'use strict';
  const FOLDER = /(^|\/)notebooks\/training\//;

  async function runOnce(app, widget, begun) {
    const context = widget && widget.context;
    if (!context || begun.has(context) || !FOLDER.test(context.path || '')) return;
    begun.add(context);
    await context.ready;
    const kam = context.model.getMetadata ? context.model.getMetadata('kam') : undefined;
    if (!kam || !kam.runs_on_open) return;
    widget.addClass('kam-course'); // its folded code leaves no trace; View > Expand All Code shows it
    await context.sessionContext.ready;
    const kernel = context.sessionContext.session && context.sessionContext.session.kernel;
    if (kernel) await kernel.info;
    app.shell.activateById(widget.id);
    await app.commands.execute('notebook:run-all-cells');
    context.model.dirty = false; // nothing was written by the learner: no autosave, no question when it is closed
    widget.content.activeCellIndex = 0;
    widget.content.node.querySelector('.jp-WindowedPanel-outer, .jp-Notebook')?.scrollTo({ top: 0 });
  }

  const plugin = {
    id: 'kam-course:run-on-open',
    autoStart: true,
    activate: app => {
      const style = document.createElement('style');
      style.textContent = '.kam-course .jp-InputPlaceholder { display: none; }';
      document.head.append(style);
      const begun = new WeakSet();
      const look = () => runOnce(app, app.shell.currentWidget, begun);
      app.restored.then(look);
      app.shell.currentChanged.connect(look);
    }
  };

  return {
    init: () => undefined,
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin }))
  };
})();
