/** Everything a plan can point out. Codes are API: never renamed or reused. */
export type NoticeCode =
  | 'annotation-hides-hooks'
  | 'archive-without-version'
  | 'backup-is-another'
  | 'bad-namespace-pattern'
  | 'container-name-invalid'
  | 'empty-command'
  | 'exec-container-missing'
  | 'exec-timeout-unlimited'
  | 'exec-timeout-unparsable'
  | 'file-hides-hooks'
  | 'init-container-name-collision'
  | 'init-container-not-injected'
  | 'lint-error'
  | 'on-error-unknown'
  | 'pod-not-in-cluster'
  | 'pod-not-restored'
  | 'pod-unreadable'
  | 'restore-without-phase'
  | 'runner-limited'
  | 'velero-has-run'
  | 'wait-for-ready-unparsable'
  | 'wait-timeout-negative'
  | 'wait-timeout-unparsable'
  | 'wait-timeout-zero';

/** Something about the plan, or about one pod of it, that its reader should know. */
export interface Notice {
  readonly code: NoticeCode;
  readonly namespace?: string;
  readonly pod?: string;
  readonly message: string;
}
