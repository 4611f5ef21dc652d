/**
 * Watches a page in which hostile text is shown; added as an init script to every frame.
 *
 * Looks at each element and attribute that ever enters the chat, also those that stay for one frame
 * only, and keeps what must not be there in `window.hostileWatch`. Knows nothing of how the chat is
 * made but its outermost class and `CONTENT`, the containers of rendered text.
 */
(() => {
  const CHAT = '.jp-LocalLLMChat';
  const CONTENT = '.jp-RenderedHTMLCommon';
  const KEPT = 200;

  const watch = {
    violations: [],
    nViolations: 0,
    nElements: 0,
    nPaints: 0,
    commands: [],
    /** Gone after the page is loaded again. */
    isStarted: false
  };
  window.hostileWatch = watch;

  // Each payload that runs assigns this name, in its own frame or in its parent's.
  let runs = 0;
  Object.defineProperty(window, '__pwned', {
    configurable: false,
    get: () => (runs === 0 ? undefined : runs),
    set: () => {
      runs += 1;
      console.error('HOSTILE SCRIPT RAN');
    }
  });

  const FORBIDDEN_TAGS = new Set(
    (
      'script iframe frame frameset object embed applet portal fencedframe audio video source ' +
      'track bgsound link meta base style template slot title form area map noscript noembed ' +
      'noframes xmp plaintext image picture foreignobject animate set use dialog isindex keygen'
    ).split(' ')
  );
  const FORBIDDEN_ATTRIBUTES = new Set(
    (
      'srcset srcdoc formaction action background poster ping xlink:href data lowsrc dynsrc ' +
      'imagesrcset longdesc usemap codebase manifest attributionsrc popovertarget autofocus ' +
      'accesskey contenteditable is slot http-equiv cite profile download form shadowrootmode ' +
      'data-command data-path'
    ).split(' ')
  );
  const FORBIDDEN_CLASSES =
    /^(jp-Dialog.*|jp-ToolbarButton.*|jp-DirListing.*|lm-.*|jp-LocalLLMChat-run|jp-mod-x|mermaid)$/;
  const PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,/i;
  const BAD_STYLE = /url\s*\(|image-set|@import|expression|position\s*:|behavior|-moz-binding|\\/i;

  const report = (element, what) => {
    watch.nViolations += 1;
    if (watch.violations.length < KEPT) {
      const copy = element.cloneNode(false);
      watch.violations.push(`${what}: ${copy.outerHTML.slice(0, 300)}`);
    }
  };

  /** A diagram that the server drew: at its place, and with nothing in it but shapes and text. */
  const isDrawing = element => {
    const [head, content] = (element.getAttribute('src') || '').split(',');
    if (head !== 'data:image/svg+xml;base64' || !element.matches('.jp-LocalLLMDiagram-picture > img')) {
      return false;
    }
    const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
    const drawing = new DOMParser().parseFromString(new TextDecoder().decode(bytes), 'image/svg+xml');
    return [...drawing.querySelectorAll('*')].every(
      node =>
        !/^(parsererror|script|a|image|use|foreignobject|style|animate.*|set|iframe)$/i.test(node.localName) &&
        [...node.attributes].every(
          ({name, value}) =>
            !/^on|href$|^src/i.test(name) && !/javascript:|url\(\s*['"]?(?!#)/i.test(value)
        )
    );
  };

  const isMath = element => element.closest('mjx-container') !== null;
  const isIcon = element => element.closest('svg[data-icon]') !== null;

  const checkTag = (element, tag) => {
    if (FORBIDDEN_TAGS.has(tag)) {
      // Lab's icons are SVG, which may have a <title>, <style> or <use> of their own.
      if (!isIcon(element)) {
        // A form of the chat itself stands outside the texts it shows.
        if (tag !== 'form' || element.closest(CONTENT)) {
          report(element, 'element');
        }
      }
    }
    if (tag === 'img' && !PICTURE.test(element.getAttribute('src') || '') && !isDrawing(element)) {
      report(element, 'picture');
    }
    if (tag === 'svg' && !element.hasAttribute('data-icon')) {
      report(element, 'svg');
    }
    if (tag === 'math' && !isMath(element)) {
      report(element, 'math');
    }
  };

  const checkLink = element => {
    if (!element.hasAttribute('href')) {
      return;
    }
    let scheme = '';
    try {
      scheme = new URL(element.getAttribute('href'), document.baseURI).protocol;
    } catch {
      report(element, 'link that is no address');
      return;
    }
    if (!['http:', 'https:', 'mailto:'].includes(scheme)) {
      report(element, 'scheme of a link');
    }
    if (!element.closest(CONTENT)) {
      return;
    }
    const rel = (element.getAttribute('rel') || '').split(/\s+/);
    const target = element.getAttribute('target') || '';
    if (target !== '_blank') {
      report(element, 'link into this page');
    } else if (!rel.includes('noopener') || !rel.includes('noreferrer')) {
      report(element, 'link with an opener');
    }
  };

  const checkContentAttribute = (element, name, value) => {
    const isNamed = name === 'name' || name === 'id';
    if (isNamed && !(isMath(element) && value.startsWith('MJX-'))) {
      report(element, `attribute ${name}`);
    }
    if (name === 'class') {
      const made = isMath(element) ? /^jp-/ : FORBIDDEN_CLASSES;
      if (value.split(/\s+/).some(word => made.test(word))) {
        report(element, 'class');
      }
    }
    if (name === 'style' && BAD_STYLE.test(value)) {
      // MathJax places its parts by position, without addresses.
      if (!isMath(element) || /url|image-set|\\|fixed/i.test(value)) {
        report(element, 'style');
      }
    }
  };

  const check = element => {
    watch.nElements += 1;
    const tag = element.localName;
    const isContent = element.closest(CONTENT) !== null;
    checkTag(element, tag);
    if (tag === 'a' || tag === 'area') {
      checkLink(element);
    }
    for (const { name, value } of element.attributes) {
      if (name.startsWith('on') || name.startsWith('data-commandlinker')) {
        report(element, `attribute ${name}`);
      } else if (FORBIDDEN_ATTRIBUTES.has(name) && isContent && !isIcon(element)) {
        report(element, `attribute ${name}`);
      } else if (isContent && !isIcon(element)) {
        checkContentAttribute(element, name, value);
      } else if (name === 'style' && /url\s*\(/i.test(value)) {
        report(element, 'style');
      }
    }
  };

  const checkTree = node => {
    if (node.nodeType !== Node.ELEMENT_NODE) {
      return;
    }
    check(node);
    for (const element of node.querySelectorAll('*')) {
      check(element);
    }
  };

  const isShown = node => node.nodeType === Node.ELEMENT_NODE && node.closest(CHAT) !== null;

  const look = records => {
    let hasPainted = false;
    for (const record of records) {
      const { target } = record;
      const parent = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
      if (parent === null) {
        continue;
      }
      hasPainted ||= parent.closest(CONTENT) !== null;
      if (record.type === 'attributes') {
        if (isShown(target)) {
          check(target);
        }
        continue;
      }
      const isInside = isShown(parent);
      for (const node of record.addedNodes) {
        if (isInside) {
          checkTree(node);
        } else if (node.nodeType === Node.ELEMENT_NODE) {
          node.querySelectorAll(CHAT).forEach(checkTree);
          if (/evil\.example/.test(node.outerHTML)) {
            report(node, 'outside of the chat');
          }
        }
      }
    }
    watch.nPaints += hasPainted ? 1 : 0;
  };

  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
    characterData: true
  });

  /** Forget what was seen; where there is a Lab, keep every command that it executes from now on. */
  watch.start = () => {
    if (!watch.isStarted && window.jupyterapp !== undefined) {
      const { commands } = window.jupyterapp;
      commands.commandExecuted.connect((_, args) => watch.commands.push(args.id));
    }
    watch.isStarted = true;
    watch.commands = [];
    watch.violations = [];
    watch.nViolations = 0;
  };
})();
