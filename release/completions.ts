/*
 * Completion of `kubectl-restorehooks` when it is called by that name. Each script asks the plugin's second name, as
 * kubectl does for `kubectl restorehooks`, so it knows every command and flag of the version that is installed (R9.14).
 * The answer: a candidate a line, its description behind a tab, and at last `:` and a sum of cobra's directives.
 */

const BASH = `# bash completion of kubectl-restorehooks; needs the package bash-completion
_kubectl_restorehooks() {
  local cur prev words cword out directive line
  _get_comp_words_by_ref -n "=:" cur prev words cword 2>/dev/null || return
  out=$(kubectl_complete-restorehooks "\${words[@]:1:cword}" 2>/dev/null) || return
  directive=\${out##*:}
  COMPREPLY=()
  if ((directive & 8)); then
    local IFS='|' endings
    endings=$(printf '%s\\n' "\${out%:*}" | paste -sd '|' -)
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X "!*.@(\${endings%|})" -- "$cur")
    return
  fi
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    [[ -n $line && $line == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
  done <<<"\${out%:*}"
  ((directive & 2)) && compopt -o nospace
  ((directive == 0 && \${#COMPREPLY[@]} == 0)) && compopt -o default
  __ltrim_colon_completions "$cur"
}
complete -F _kubectl_restorehooks kubectl-restorehooks
`;

const ZSH = `#compdef kubectl-restorehooks
_kubectl_restorehooks() {
  local out directive line
  local -a candidates
  out=$(kubectl_complete-restorehooks "\${(@Q)words[2,CURRENT]}" 2>/dev/null) || return
  directive=\${out##*:}
  if ((directive & 8)); then
    _files -g "*.(\${(j:|:)\${(f)out%:*}})"
    return
  fi
  for line in \${(f)out%:*}; do
    candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}\${\${(M)line:#*$'\\t'*}:+:\${line#*$'\\t'}}")
  done
  if ((\${#candidates} > 0)); then
    if ((directive & 2)); then _describe -t words kubectl-restorehooks candidates -S ''
    else _describe -t words kubectl-restorehooks candidates; fi
  elif ((directive == 0)); then
    _files
  fi
}
_kubectl_restorehooks "$@"
`;

const FISH = `# fish completion of kubectl-restorehooks
function __kubectl_restorehooks_candidates
    set -l words (commandline -opc) (commandline -ct)
    set -l out (KUBECTL_ACTIVE_HELP=0 kubectl_complete-restorehooks $words[2..-1] 2>/dev/null)
    or return
    set -l directive (string replace -r '^:' '' -- $out[-1])
    set -e out[-1]
    if test "$directive" -ge 8
        __fish_complete_suffix .yaml .yml .json
    else if test "$directive" -eq 0; and test (count $out) -eq 0
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $out
    end
end
complete -c kubectl-restorehooks -f -a '(__kubectl_restorehooks_candidates)'
`;

/** The files, by where each shell looks for them below a prefix such as /usr/local. */
export const COMPLETIONS: Readonly<Record<string, string>> = {
  'share/bash-completion/completions/kubectl-restorehooks': BASH,
  'share/zsh/site-functions/_kubectl-restorehooks': ZSH,
  'share/fish/vendor_completions.d/kubectl-restorehooks.fish': FISH,
};
