//! Stacks as pictures: each function as wide as what was executed in it and in what it called.

use std::fmt::Write;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const MARGIN: f64 = 10.0;
const HEAD: f64 = 44.0;
/// What is narrower, in pixels, is left out.
const NARROWEST: f64 = 0.1;
/// The width of a letter, in pixels.
const LETTER: f64 = 7.2;

/// A function in one place of the stacks, from one count to another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar<'a> {
    name: &'a str,
    depth: usize,
    start: u64,
    end: u64,
}

/// The picture, as SVG: the outermost functions at the bottom. What a bar stands for is shown by browsers where the pointer is, and a
/// click shows the bar's part alone; a click on the title shows all again.
pub(crate) fn flamegraph(title: &str, stacks: &[(Vec<String>, u64)]) -> String {
    let bars = bars(stacks);
    let total = stacks.iter().map(|(_, count)| count).sum::<u64>().max(1);
    let depth = bars.iter().map(|bar| bar.depth + 1).max().unwrap_or(0);
    let height = HEAD + ROW * depth as f64 + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"monospace\" font-size=\"12\">\n<style>rect{{stroke:#fff;stroke-width:.5}}g:hover rect{{stroke:#000}}text{{pointer-events:none}}\
         #title{{pointer-events:all;cursor:pointer}}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text id=\"title\" x=\"{MARGIN}\" y=\"24\" font-size=\"16\">{}: {total} instructions</text>\n",
        escaped(title)
    );
    let scale = (WIDTH - 2.0 * MARGIN) / total as f64;
    for bar in bars.iter().filter(|bar| (bar.end - bar.start) as f64 * scale >= NARROWEST) {
        svg += &bar_as_svg(bar, total, scale, depth);
    }
    svg + SCRIPT + "</svg>\n"
}

/// Stacks that begin alike share the bars of what they begin with: neighbours, once they are sorted.
fn bars(stacks: &[(Vec<String>, u64)]) -> Vec<Bar<'_>> {
    let mut sorted: Vec<_> = stacks.iter().collect();
    sorted.sort();
    let (mut bars, mut open, mut at) = (Vec::new(), Vec::<Bar<'_>>::new(), 0);
    for (stack, count) in sorted {
        let alike = open.iter().zip(stack).take_while(|(bar, name)| bar.name == name.as_str()).count();
        close(&mut open, alike, at, &mut bars);
        let new = stack.iter().enumerate().skip(alike);
        open.extend(new.map(|(depth, name)| Bar { name, depth, start: at, end: at }));
        at += count;
    }
    close(&mut open, 0, at, &mut bars);
    bars
}

fn close<'a>(open: &mut Vec<Bar<'a>>, keep: usize, at: u64, bars: &mut Vec<Bar<'a>>) {
    bars.extend(open.drain(keep..).map(|bar| Bar { end: at, ..bar }));
}

fn bar_as_svg(bar: &Bar<'_>, total: u64, scale: f64, depth: usize) -> String {
    let (x, width) = (MARGIN + bar.start as f64 * scale, (bar.end - bar.start) as f64 * scale);
    let y = HEAD + ROW * (depth - 1 - bar.depth) as f64;
    let (name, count) = (escaped(bar.name), bar.end - bar.start);
    let share = 100.0 * count as f64 / total as f64;
    let mut svg = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(
        svg,
        "<g><title>{name}: {count} instructions, {share:.2} %</title><rect x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" \
         height=\"{ROW}\" fill=\"{}\"/><text x=\"{:.2}\" y=\"{}\">{}</text></g>",
        colour(bar.name),
        x + 3.0,
        y + 12.5,
        escaped(&shortened(bar.name, width))
    );
    svg
}

/// As much of the name as a bar has room for.
fn shortened(name: &str, width: f64) -> String {
    let room = ((width - 6.0) / LETTER) as usize;
    match name.chars().count() {
        length if length <= room => name.to_owned(),
        _ if room < 3 => String::new(),
        _ => name.chars().take(room - 1).chain(['…']).collect(),
    }
}

/// A warm colour that is the same for a name in every picture.
fn colour(name: &str) -> String {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("hsl({},{}%,{}%)", hash % 50, 70 + (hash >> 8) % 25, 58 + (hash >> 16) % 12)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Shows a part alone: the numbers of all bars are kept as they were written, and stretched.
const SCRIPT: &str = "<script><![CDATA[
const bars=[...document.querySelectorAll('g')].map(g=>{const r=g.firstElementChild.nextElementSibling,t=g.lastElementChild;
return{g,r,t,x:+r.getAttribute('x'),w:+r.getAttribute('width'),name:g.firstElementChild.textContent.replace(/: \\d+ instructions.*/,'')}});
const show=(x,w)=>bars.forEach(b=>{const k=1180/w,l=Math.max(b.x,x),e=Math.min(b.x+b.w,x+w),v=e-l>w/12000;b.g.style.display=v?'':'none';
if(!v)return;const n=(e-l)*k;b.r.setAttribute('x',10+(l-x)*k);b.r.setAttribute('width',n);b.t.setAttribute('x',13+(l-x)*k);
const c=Math.floor((n-6)/7.2);b.t.textContent=b.name.length<=c?b.name:c<3?'':b.name.slice(0,c-1)+'…'});
bars.forEach(b=>b.g.addEventListener('click',()=>show(b.x,b.w)));
document.getElementById('title').addEventListener('click',()=>show(10,1180));
]]></script>
";

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(names: &str, count: u64) -> (Vec<String>, u64) {
        (names.split(';').map(str::to_owned).collect(), count)
    }

    #[test]
    fn stacks_that_begin_alike_share_bars() {
        let stacks = [stack("a;b", 3), stack("a;c;b", 2), stack("a", 1), stack("d", 4)];
        let mut found: Vec<_> =
            bars(&stacks).into_iter().map(|bar| (bar.depth, bar.name, bar.end - bar.start)).collect();
        found.sort_unstable();
        assert_eq!(found, [(0, "a", 6), (0, "d", 4), (1, "b", 3), (1, "c", 2), (2, "b", 2)]);
    }

    #[test]
    fn callees_lie_within_their_callers() {
        let stacks = [stack("a;b", 3), stack("a;c", 2), stack("e;c", 5)];
        let bars = bars(&stacks);
        let around = |inner: &Bar<'_>| {
            bars.iter()
                .any(|bar| bar.depth + 1 == inner.depth && bar.start <= inner.start && inner.end <= bar.end)
        };
        assert!(bars.iter().filter(|bar| bar.depth > 0).all(around), "{bars:?}");
    }

    #[test]
    fn names_are_text() {
        let svg = flamegraph("a & b", &[stack("operator<<\"x\"", 5)]);
        assert!(svg.contains("a &amp; b: 5 instructions"));
        assert!(svg.contains("<title>operator&lt;&lt;&quot;x&quot;: 5 instructions, 100.00 %</title>"));
        assert!(!svg.contains("operator<<"));
    }

    #[test]
    fn names_are_shortened_to_their_bars() {
        for (width, expected) in [(100.0, "long_name"), (50.0, "long_…"), (20.0, "")] {
            assert_eq!(shortened("long_name", width), expected, "{width}");
        }
    }
}
