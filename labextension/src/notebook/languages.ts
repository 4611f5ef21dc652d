/**
 * Names of programming languages as fences and kernels write them.
 *
 * Pure. Says which type of cell a block becomes and whether a kernel can run it.
 */

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['py', 'python'],
  ['py3', 'python'],
  ['python3', 'python'],
  ['python2', 'python'],
  ['ipython', 'python'],
  ['ipython3', 'python'],
  ['xpython', 'python'],
  ['sh', 'bash'],
  ['shell', 'bash'],
  ['zsh', 'bash'],
  ['console', 'bash'],
  ['js', 'javascript'],
  ['node', 'javascript'],
  ['ts', 'typescript'],
  ['jl', 'julia'],
  ['rb', 'ruby'],
  ['rs', 'rust'],
  ['cpp', 'c++'],
  ['c++11', 'c++'],
  ['c++14', 'c++'],
  ['c++17', 'c++'],
  ['c++20', 'c++'],
  ['cxx', 'c++'],
  ['cs', 'c#'],
  ['csharp', 'c#'],
  ['ipythongfm', 'markdown'],
  ['md', 'markdown'],
  ['gfm', 'markdown'],
  ['txt', ''],
  ['text', ''],
  ['plain', ''],
  ['plaintext', ''],
  ['none', '']
]);

const SHOWN: ReadonlyMap<string, string> = new Map([
  ['javascript', 'JavaScript'],
  ['typescript', 'TypeScript'],
  ['bash', 'bash'],
  ['sql', 'SQL'],
  ['html', 'HTML'],
  ['css', 'CSS'],
  ['json', 'JSON'],
  ['xml', 'XML'],
  ['yaml', 'YAML'],
  ['php', 'PHP']
]);

/** One name for each language; '' where none is told. Reads a fence's whole info string. */
export function normaliseLanguage(name: string): string {
  const word = /[^\s{}.,;:]+/.exec(name.slice(0, 200))?.[0]?.toLowerCase() ?? '';
  return ALIASES.get(word) ?? word;
}

/** A language's name within a sentence. */
export function languageTitle(name: string): string {
  const language = normaliseLanguage(name);
  return SHOWN.get(language) ?? language.charAt(0).toUpperCase() + language.slice(1);
}

/** The type of the cell that a block of this language becomes. */
export function cellTypeOf(language: string): 'code' | 'markdown' {
  return normaliseLanguage(language) === 'markdown' ? 'markdown' : 'code';
}

/** Whether a kernel of one language can run a block of another; unknown ones can. */
export function canRun(blockLanguage: string, kernelLanguage: string): boolean {
  const block = normaliseLanguage(blockLanguage);
  const kernel = normaliseLanguage(kernelLanguage);
  return block === '' || kernel === '' || block === kernel || block === 'markdown';
}
