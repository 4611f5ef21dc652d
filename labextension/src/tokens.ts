/**
 * Names that other plugins and tests refer to: plugin ids and command ids.
 *
 * No code lives here. Imported by every plugin.
 */

/** Plugin ids; what stands before the colon is the package's name. */
export const PluginIds = {
  status: 'jupyter-localllm:status'
} as const;

/** Command ids. */
export const CommandIds = {
  showStatus: 'localllm:show-status'
} as const;
