/**
 * A dialog that shows one picture large: moved by dragging and by arrows, enlarged by wheel and keys.
 *
 * The browser's own dialog keeps the focus inside and gives it back, and closes on Escape.
 */

import { addIcon, closeIcon } from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';

import { enlargeIcon, zoomOutIcon } from './icons';
import { fitted, moved, zoomed } from './pan_zoom';
import type { Placement, Size } from './pan_zoom';

export interface EnlargedPicture extends Size {
  readonly url: string;
  readonly alt: string;
  /** What it was drawn on. */
  readonly ground: 'light' | 'dark';
}

const STEP_PX = 60;
const ZOOM_STEP = 1.25;
/** Of a wheel, by the pixel that it reports. */
const WHEEL_ZOOM = 0.0015;

class EnlargeDialog {
  readonly node = document.createElement('dialog');

  constructor(
    private readonly _picture: EnlargedPicture,
    trans: TranslationBundle
  ) {
    this.node.className = 'jp-LocalLLMDiagram-dialog';
    this.node.setAttribute('aria-label', trans.__('Diagram'));
    this._frame.className = 'jp-LocalLLMDiagram-frame';
    this._frame.dataset.ground = _picture.ground;
    this._frame.tabIndex = 0;
    this._frame.setAttribute('role', 'application');
    this._frame.setAttribute(
      'aria-label',
      trans.__('Diagram: arrow keys move it, plus and minus change its size, 0 fits it in')
    );
    this._image.src = _picture.url;
    this._image.alt = _picture.alt;
    this._image.draggable = false;
    this._frame.append(this._image);
    const bar = document.createElement('div');
    bar.className = 'jp-LocalLLMDiagram-dialogBar';
    const center = (factor: number) => () => {
      this._zoom(factor);
    };
    bar.append(
      this._button(zoomOutIcon, 'zoom-out', trans.__('Smaller (-)'), center(1 / ZOOM_STEP)),
      this._button(addIcon, 'zoom-in', trans.__('Larger (+)'), center(ZOOM_STEP)),
      this._button(enlargeIcon, 'fit', trans.__('Fit in (0)'), () => {
        this._fit();
      }),
      this._button(closeIcon, 'close', trans.__('Close (Escape)'), () => {
        this.node.close();
      })
    );
    this.node.append(this._frame, bar);
    this._listen();
  }

  open(): void {
    const opener = document.activeElement;
    document.body.append(this.node);
    this.node.showModal();
    this._observer.observe(this._frame);
    this._fit();
    this._frame.focus();
    this.node.addEventListener('close', () => {
      this._observer.disconnect();
      this.node.remove();
      if (opener instanceof HTMLElement) {
        opener.focus();
      }
    });
  }

  private _button(
    icon: LabIcon,
    action: string,
    label: string,
    onClick: () => void
  ): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'jp-LocalLLMDiagram-button';
    button.dataset.action = action;
    button.title = label;
    button.setAttribute('aria-label', label);
    icon.element({ container: button, tag: 'span' });
    button.addEventListener('click', onClick);
    return button;
  }

  private _listen(): void {
    this._frame.addEventListener(
      'wheel',
      event => {
        event.preventDefault();
        const box = this._frame.getBoundingClientRect();
        const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 30;
        const factor = Math.exp(-event.deltaY * pixels * WHEEL_ZOOM);
        this._show(zoomed(this._place, factor, event.clientX - box.left, event.clientY - box.top));
      },
      { passive: false }
    );
    this._frame.addEventListener('pointerdown', event => {
      if (event.button === 0) {
        this._frame.setPointerCapture(event.pointerId);
        this._frame.classList.add('jp-mod-dragging');
      }
    });
    this._frame.addEventListener('pointermove', event => {
      if (this._frame.hasPointerCapture(event.pointerId)) {
        this._move(event.movementX, event.movementY);
      }
    });
    this._frame.addEventListener('lostpointercapture', () => {
      this._frame.classList.remove('jp-mod-dragging');
    });
    this.node.addEventListener('keydown', this._onKeyDown);
    this.node.addEventListener('click', event => {
      // What lies outside of the dialog's box is the dialog's, too.
      if (event.target === this.node) {
        this.node.close();
      }
    });
  }

  private readonly _onKeyDown = (event: KeyboardEvent): void => {
    const act = this._keyAction(event.key);
    if (act !== null && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  };

  private _keyAction(key: string): (() => void) | null {
    const move = (dx: number, dy: number) => () => {
      this._move(dx * STEP_PX, dy * STEP_PX);
    };
    switch (key) {
      case 'ArrowLeft':
        return move(1, 0);
      case 'ArrowRight':
        return move(-1, 0);
      case 'ArrowUp':
        return move(0, 1);
      case 'ArrowDown':
        return move(0, -1);
      case '+':
      case '=':
        return () => {
          this._zoom(ZOOM_STEP);
        };
      case '-':
        return () => {
          this._zoom(1 / ZOOM_STEP);
        };
      case '0':
        return () => {
          this._fit();
        };
      default:
        return null;
    }
  }

  private get _frameSize(): Size {
    return { width: this._frame.clientWidth, height: this._frame.clientHeight };
  }

  private _zoom(factor: number): void {
    const { width, height } = this._frameSize;
    this._show(zoomed(this._place, factor, width / 2, height / 2));
  }

  private _move(dx: number, dy: number): void {
    this._show(moved(this._place, dx, dy, this._picture, this._frameSize));
  }

  private _fit(): void {
    this._show(fitted(this._picture, this._frameSize));
  }

  private _show(place: Placement): void {
    this._place = place;
    const { x, y, scale } = place;
    // Set as sizes, so that an SVG is drawn sharp at any of them.
    Object.assign(this._image.style, {
      left: `${x}px`,
      top: `${y}px`,
      width: `${this._picture.width * scale}px`,
      height: `${this._picture.height * scale}px`
    });
  }

  private readonly _frame = document.createElement('div');
  private readonly _image = document.createElement('img');
  private readonly _observer = new ResizeObserver(() => {
    this._move(0, 0);
  });
  private _place: Placement = { x: 0, y: 0, scale: 1 };
}

/** Show a picture large until the user closes it. */
export function enlarge(picture: EnlargedPicture, trans: TranslationBundle): void {
  new EnlargeDialog(picture, trans).open();
}
