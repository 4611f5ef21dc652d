/**
 * Names that other plugins and tests refer to: plugin ids and command ids.
 *
 * No code lives here. Imported by every plugin.
 */

/** Plugin ids; what stands before the colon is the package's name. */
export const PluginIds = {
  /** Its settings are those of `schema/chat.json`. */
  chat: 'jupyter-localllm:chat',
  diagrams: 'jupyter-localllm:diagrams',
  executedCode: 'jupyter-localllm:executed-code',
  status: 'jupyter-localllm:status'
} as const;

/** Command ids. */
export const CommandIds = {
  askAboutCell: 'localllm:ask-about-cell',
  chooseModel: 'localllm:choose-model',
  explainCell: 'localllm:explain-cell',
  exportChat: 'localllm:export-chat',
  fixCell: 'localllm:fix-cell',
  newChat: 'localllm:new-chat',
  openChat: 'localllm:open-chat',
  showStatus: 'localllm:show-status',
  stop: 'localllm:stop'
} as const;

/** The id of the panel in the right sidebar. */
export const CHAT_PANEL_ID = 'jp-localllm-chat';
