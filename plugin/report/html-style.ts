/** The page's only style: the policy allows this text and no other, so it holds nothing of a run. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--card:#f6f7f9;--text:#1b1f24;--soft:#515a65;--line:#c3c9d1;--link:#0550ae;
--Succeeded:#1a7f37;--Failed:#c62828;--TimedOut:#8f5400;--Unknown:#7b3fb5;--NotExecuted:#57606a;--Running:#0a5fc2;--Waiting:#626b76}
@media (prefers-color-scheme:dark){:root{--bg:#12161b;--card:#1b2128;--text:#e6eaef;--soft:#a9b3be;--line:#3d4753;--link:#79b8ff;
--Succeeded:#4cc26a;--Failed:#ff7b72;--TimedOut:#e8a54f;--Unknown:#cda5f7;--NotExecuted:#a9b3be;--Running:#6cb4ff;--Waiting:#98a2ad}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif}
header,main,footer{max-width:1200px;margin:0 auto;padding:0 24px}
header{border-top:6px solid var(--tone);padding-top:20px}
header.good{--tone:var(--Succeeded)}header.warning{--tone:var(--TimedOut)}header.bad{--tone:var(--Failed)}header.open{--tone:var(--Running)}
.kind{margin:0;color:var(--soft)}
h1{margin:0;font-size:32px;line-height:1.3;color:var(--tone)}
h1::before{content:"\\2022  "/""}
.good h1::before{content:"\\2713  "/""}.bad h1::before{content:"\\2717  "/""}.warning h1::before{content:"!  "/""}
h2{font-size:20px;margin:36px 0 8px;padding-top:12px;border-top:1px solid var(--line)}
h3{font-size:16px;margin:20px 0 6px}
main>section:first-child h2{border:0;margin-top:12px}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
bdi,p,li,dd,h1,h3{overflow-wrap:anywhere}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:14px 0 0}
.facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:12px 0 0}
.facts dt{color:var(--soft);font-size:13px}
.facts dd{margin:0}
.share{display:block;width:100%;height:16px;background:var(--card)}
.counts,.legend{list-style:none;display:flex;flex-wrap:wrap;gap:6px 22px;margin:10px 0;padding:0}
.legend{font-size:13px;color:var(--soft)}
.legend svg{vertical-align:-3px}
.state{white-space:nowrap}
.state::before{display:inline-block;min-width:1.3em;font-weight:700}
.Succeeded::before{content:"\\2713"/""}.Failed::before{content:"\\2717"/""}.TimedOut::before{content:"\\25D4"/""}
.Unknown::before{content:"?"/""}.NotExecuted::before{content:"\\25CB"/""}.Running::before{content:"\\25B8"/""}.Waiting::before{content:"\\2026"/""}
.Succeeded{color:var(--Succeeded);fill:var(--Succeeded);stroke:var(--Succeeded)}
.Failed{color:var(--Failed);fill:var(--Failed);stroke:var(--Failed)}
.TimedOut{color:var(--TimedOut);fill:var(--TimedOut);stroke:var(--TimedOut)}
.Unknown{color:var(--Unknown);fill:var(--Unknown);stroke:var(--Unknown)}
.NotExecuted{color:var(--NotExecuted);fill:var(--NotExecuted);stroke:var(--NotExecuted)}
.Running{color:var(--Running);fill:var(--Running);stroke:var(--Running)}
.Waiting{color:var(--Waiting);fill:var(--Waiting);stroke:var(--Waiting)}
pattern rect,pattern circle{stroke:none}
.gap{fill:var(--bg)}
.bar{stroke-width:1.5}
.bar.Failed{fill:url(#p-Failed)}.bar.TimedOut{fill:url(#p-TimedOut)}.bar.Unknown{fill:url(#p-Unknown)}
.bar.Running{fill:none;stroke-dasharray:5 2}.bar.NotExecuted{fill:none;stroke-width:2}.bar.Waiting{fill:var(--card)}
.wait{stroke:var(--Waiting);stroke-width:1.5;stroke-dasharray:2 3}
.patterns{position:absolute}
details{margin:6px 0;border-left:3px solid var(--line);padding-left:12px}
summary{cursor:pointer;padding:2px 0}
.message,.about{margin:4px 0}
.about{color:var(--soft);font-size:14px}
.stream{margin:8px 0 0;color:var(--soft);font-size:13px}
pre{margin:2px 0 10px;padding:10px 12px;background:var(--card);border:1px solid var(--line);border-radius:4px;overflow:auto;max-height:260px;
font:13px/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext;tab-size:4}
code{font-family:ui-monospace,monospace}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}
table:not(.timeline) caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
caption{text-align:left;color:var(--soft);padding:4px 0}
th,td{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);unicode-bidi:isolate;white-space:nowrap}
.w{white-space:normal;overflow-wrap:anywhere;min-width:9em}
thead th{color:var(--soft);font-weight:600;vertical-align:bottom}
tbody th{font-weight:600}
tr:target{background:var(--card);outline:2px solid var(--link)}
.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.c{font-family:ui-monospace,monospace;min-width:18em}
.timeline th:first-child{width:22%}
.timeline td:last-child{width:20%;white-space:normal;min-width:9em}
.timeline td:nth-child(2){min-width:220px}
.timeline .state{margin-right:10px}
.lane,.load,.ticks{display:block;width:100%;height:22px;overflow:visible}
.load{height:24px}
.load path{fill:var(--Running)}
.ticks line{stroke:var(--line)}
.ticks text{fill:var(--soft);font-size:11px;font-weight:400}
.lane a{outline:none}
.lane a:hover .bar,.lane a:focus-visible .bar{stroke:var(--text);stroke-width:3}
.lane:focus-within{position:relative;z-index:2}
.tip{display:none;overflow:visible;pointer-events:none}
.lane a:focus-visible .tip{display:block}
.tip rect{fill:var(--text);stroke:none}
.tip text{fill:var(--bg);stroke:none;font:12px ui-monospace,monospace}
footer{color:var(--soft);font-size:13px;margin-top:36px;padding-bottom:24px}
@media (max-width:700px){header,main,footer{padding-left:12px;padding-right:12px}}
@page{size:A4 landscape;margin:12mm}
@media print{:root{--bg:#fff;--card:#fff;--text:#000;--soft:#333;--line:#999;--link:#000;--Succeeded:#1a7f37;--Failed:#c62828;--TimedOut:#8f5400;
--Unknown:#7b3fb5;--NotExecuted:#57606a;--Running:#0a5fc2;--Waiting:#626b76}
body{font-size:11px}.about,.stream,.legend,.facts dt{font-size:10px}*{print-color-adjust:exact}pre{max-height:none}.scroll{overflow:visible}details::details-content{content-visibility:visible;display:block}
th,td,.state{white-space:normal;overflow-wrap:break-word;padding-right:8px}.w{min-width:5em}.c{min-width:9em}table{font-size:10px}
details,tr,pre{break-inside:avoid}h2,h3{break-after:avoid}}
`;
