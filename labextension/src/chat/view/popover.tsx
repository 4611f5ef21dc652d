/**
 * A panel that opens under the header or over the input, and closes on Escape or a click elsewhere.
 */

import * as React from 'react';

export interface PopoverProps {
  readonly label: string;
  readonly className?: string;
  readonly role?: 'dialog' | 'menu';
  readonly onClose: () => void;
  readonly children: React.ReactNode;
}

const FOCUSABLE = 'input:not([type="file"]), button, [tabindex="0"]';

/** Takes the focus, gives it back, and closes on a click elsewhere. */
function useDismissal(ref: React.RefObject<HTMLDivElement>, onClose: () => void): void {
  const close = React.useRef(onClose);
  React.useEffect(() => {
    close.current = onClose;
  });
  React.useEffect(() => {
    const node = ref.current;
    const opener = document.activeElement;
    node?.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    if (node !== null && !node.contains(document.activeElement)) {
      node.querySelector<HTMLElement>(FOCUSABLE)?.focus();
    }
    const onPointerDown = (event: PointerEvent) => {
      const target = event.target;
      const isOpener = opener?.contains(target instanceof Node ? target : null) === true;
      if (target instanceof Node && node?.contains(target) === false && !isOpener) {
        close.current();
      }
    };
    document.addEventListener('pointerdown', onPointerDown, true);
    return () => {
      document.removeEventListener('pointerdown', onPointerDown, true);
      const hadFocus = document.activeElement === document.body || node?.contains(document.activeElement);
      if (hadFocus === true && opener instanceof HTMLElement) {
        opener.focus();
      }
    };
  }, [ref]);
}

export function Popover(props: PopoverProps): React.JSX.Element {
  const { label, className, role = 'dialog', onClose, children } = props;
  const ref = React.useRef<HTMLDivElement>(null);
  useDismissal(ref, onClose);
  return (
    <div
      ref={ref}
      role={role}
      aria-label={label}
      tabIndex={-1}
      className={`jp-LocalLLMChat-popover${className === undefined ? '' : ` ${className}`}`}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.preventDefault();
          event.stopPropagation();
          onClose();
        } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
          moveFocus(event, ref.current);
        }
      }}
    >
      {children}
    </div>
  );
}

/** Arrows go through what can be chosen, as in Lab's menus. */
function moveFocus(event: React.KeyboardEvent, node: HTMLElement | null): void {
  const stops = [...(node?.querySelectorAll<HTMLElement>('[data-stop]') ?? [])];
  if (stops.length === 0 || event.target instanceof HTMLTextAreaElement) {
    return;
  }
  const index = stops.findIndex(stop => stop.contains(document.activeElement));
  const step = event.key === 'ArrowDown' ? 1 : -1;
  const next = index < 0 ? (step > 0 ? 0 : stops.length - 1) : index + step;
  if (next >= 0 && next < stops.length) {
    event.preventDefault();
    stops[next]?.focus();
  }
}
