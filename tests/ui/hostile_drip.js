/**
 * Lets answers arrive letter by letter, each painted before the next one comes.
 *
 * Added as an init script before Lab starts. Takes the place of `WebSocket`: the frames are the
 * server's, but each `delta` is handed on as one frame for every character, renumbered. The chat's
 * own code then has to show every prefix of a text.
 */
(() => {
  const Native = window.WebSocket;
  /** Where a letter changes nothing that is seen, wait this long for it. */
  const UNSEEN_MS = 12;

  const drip = { isOn: false, nLetters: 0, nSeen: 0 };
  window.hostileDrip = drip;

  // A screen that never makes a letter wait for it; numbers below zero are its own.
  const nativeRequest = window.requestAnimationFrame.bind(window);
  const nativeCancel = window.cancelAnimationFrame.bind(window);
  const frames = new Map();
  const channel = new MessageChannel();
  let lastFrame = 0;
  channel.port1.onmessage = ({ data }) => {
    const callback = frames.get(data);
    frames.delete(data);
    callback?.(performance.now());
  };
  window.requestAnimationFrame = callback => {
    if (!drip.isOn) {
      return nativeRequest(callback);
    }
    lastFrame -= 1;
    frames.set(lastFrame, callback);
    channel.port2.postMessage(lastFrame);
    return lastFrame;
  };
  window.cancelAnimationFrame = frame => {
    if (frame < 0) {
      frames.delete(frame);
    } else {
      nativeCancel(frame);
    }
  };

  const painted = () =>
    new Promise(resolve => {
      const chat = document.querySelector('.jp-LocalLLMChat') || document.body;
      const done = isSeen => {
        clearTimeout(timer);
        observer.disconnect();
        drip.nSeen += isSeen ? 1 : 0;
        resolve();
      };
      const observer = new MutationObserver(records => {
        const isContent = record => {
          const { target } = record;
          const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
          return element !== null && element.closest('.jp-RenderedHTMLCommon') !== null;
        };
        if (records.some(isContent)) {
          done(true);
        }
      });
      observer.observe(chat, { subtree: true, childList: true, characterData: true });
      const timer = setTimeout(() => done(false), UNSEEN_MS);
    });

  const letters = (frame, next) => {
    if (frame.type !== 'delta' || !drip.isOn) {
      const first = next.value;
      const count = frame.type === 'delta' ? frame.seq - frame.first_seq + 1 : 1;
      next.value += count;
      const seq = next.value - 1;
      return [frame.type === 'delta' ? { ...frame, first_seq: first, seq } : { ...frame, seq }];
    }
    return [...frame.text].map(text => {
      const seq = next.value++;
      return { ...frame, first_seq: seq, seq, text };
    });
  };

  window.WebSocket = class extends Native {
    set onmessage(handler) {
      if (!/\/localllm\/chat/.test(this.url) || handler === null) {
        super.onmessage = handler;
        return;
      }
      const numbers = new Map();
      let last = Promise.resolve();
      const hand = async text => {
        const frame = JSON.parse(text);
        if (frame.request_id === undefined || frame.seq === undefined) {
          handler(new MessageEvent('message', { data: text }));
          return;
        }
        if (!numbers.has(frame.request_id)) {
          numbers.set(frame.request_id, { value: 1 });
        }
        for (const letter of letters(frame, numbers.get(frame.request_id))) {
          const seen = drip.isOn && letter.type === 'delta' ? painted() : null;
          handler(new MessageEvent('message', { data: JSON.stringify(letter) }));
          if (seen !== null) {
            drip.nLetters += 1;
            await seen;
          }
        }
      };
      super.onmessage = event => {
        last = last.then(() => hand(event.data));
      };
    }
  };
})();
