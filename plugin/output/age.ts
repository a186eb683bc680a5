/** How long ago something was, as kubectl prints ages: `45s`, `5m10s`, `3h20m`, `2d4h`, `400d`, `3y10d`. */
export function ageText(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 120) return `${Math.max(0, seconds)}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return both(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return both(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return both(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  return years < 8 ? both(years, 'y', days % 365, 'd') : `${years}y`;
}

const both = (first: number, unit: string, second: number, smaller: string): string =>
  second === 0 ? `${first}${unit}` : `${first}${unit}${second}${smaller}`;
