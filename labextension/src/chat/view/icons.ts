/**
 * Icons that JupyterLab does not have, drawn for this chat.
 */

import { icon } from '../../icon.js';

/** Two arrows that change places. */
export const replaceIcon = icon(
  'replace',
  'M7 4 3 8l4 4V9h10V7H7zm10 8v3H7v2h10v3l4-4z'
);

/** An arrow upwards. */
export const sendIcon = icon('send', 'M12 4 5 11l1.4 1.4 4.6-4.6V20h2V7.8l4.6 4.6L19 11z');

/** A paper clip. */
export const attachIcon = icon(
  'attach',
  'M16.5 6v11.5a4 4 0 0 1-8 0V5a2.5 2.5 0 0 1 5 0v10.5a1 1 0 0 1-2 0V6H10v9.5a2.5 2.5 0 0 0 5 0V5a4 4 0 0 0-8 0v12.5a5.5 5.5 0 0 0 11 0V6z'
);

/** A speech bubble. */
export const chatIcon = icon(
  'chat',
  'M4 3h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H8l-5 4V4a1 1 0 0 1 1-1zm1 2v11.8L7.3 15H19V5z'
);

/** The mark of Markdown. */
export const markdownIcon = icon(
  'markdown',
  'M3 5h18a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zm1 2v10h16V7zm1.5 8V9h2l2 2.5 2-2.5h2v6h-2v-3l-2 2.5-2-2.5v3zM16 9h2v3h1.8L17 15.2 14.2 12H16z'
);

/** Two stars, for an empty chat. */
export const sparkIcon = icon(
  'spark',
  'M12 2l1.9 6.1L20 10l-6.1 1.9L12 18l-1.9-6.1L4 10l6.1-1.9zM19 15l.9 2.6 2.6.9-2.6.9L19 22l-.9-2.6-2.6-.9 2.6-.9z'
);
