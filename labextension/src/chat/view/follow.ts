/**
 * Keeps the end of the conversation in sight as long as the reader is there.
 *
 * Called by `message_list.tsx`.
 */

import * as React from 'react';

/** The end counts as seen from this far. */
const NEAR_END_PX = 32;

export interface Follow {
  readonly scroller: React.RefObject<HTMLDivElement>;
  readonly content: React.RefObject<HTMLDivElement>;
  readonly isFollowing: boolean;
  readonly jump: () => void;
}

/** The scrolled element, its content, and whether the end is followed. */
export function useFollow(): Follow {
  const scroller = React.useRef<HTMLDivElement>(null);
  const content = React.useRef<HTMLDivElement>(null);
  const follows = React.useRef(true);
  const [isFollowing, setIsFollowing] = React.useState(true);
  const jump = React.useCallback(() => {
    follows.current = true;
    setIsFollowing(true);
    const node = scroller.current;
    if (node !== null) {
      node.scrollTop = node.scrollHeight;
    }
  }, []);
  React.useLayoutEffect(() => {
    const node = scroller.current;
    const inner = content.current;
    if (node === null || inner === null) {
      return undefined;
    }
    let lastTop = node.scrollTop;
    const onScroll = () => {
      const distance = node.scrollHeight - node.scrollTop - node.clientHeight;
      if (distance <= NEAR_END_PX) {
        follows.current = true;
      } else if (node.scrollTop < lastTop - 1) {
        // Only the reader scrolls upwards; text that grows does not.
        follows.current = false;
      }
      lastTop = node.scrollTop;
      setIsFollowing(follows.current);
    };
    const observer = new ResizeObserver(() => {
      if (follows.current) {
        node.scrollTop = node.scrollHeight;
        lastTop = node.scrollTop;
      }
    });
    node.addEventListener('scroll', onScroll, { passive: true });
    observer.observe(inner);
    observer.observe(node);
    node.scrollTop = node.scrollHeight;
    return () => {
      node.removeEventListener('scroll', onScroll);
      observer.disconnect();
    };
  }, []);
  return { scroller, content, isFollowing, jump };
}
