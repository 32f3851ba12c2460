//! Tables for notebooks, which show an object as what its `_repr_html_` returns.

use pyo3::prelude::*;

/// Return a table in HTML, with a line of heads unless there are none; all texts are escaped.
#[pyfunction]
pub(crate) fn html_table(heads: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let heads: String = heads.iter().map(|head| cell("th", head)).collect();
    let heads = if heads.is_empty() { heads } else { format!("<thead><tr>{heads}</tr></thead>") };
    let row = |row: Vec<String>| row.iter().map(|text| cell("td", text)).collect::<String>();
    let rows: String = rows.into_iter().map(|cells| format!("<tr>{}</tr>", row(cells))).collect();
    format!("<table>{heads}<tbody>{rows}</tbody></table>")
}

fn cell(tag: &str, text: &str) -> String {
    format!("<{tag} style=\"text-align:left;font-family:monospace\">{}</{tag}>", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter => safe.push(letter),
        }
    }
    safe
}
