//! The results as a Markdown table.

use std::fmt::Write as _;

use crate::bench::Measured;

/// One row a case: CPU time per iteration, how it compares with shape A's right before, and allocations on both sides.
pub(crate) fn markdown(results: &[Measured]) -> String {
    let mut text = String::from(
        "| shape | ns/iteration | min to max | against A | more than A, ns | guest allocs | host allocs |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
    );
    for Measured { label, rounds_ns, base_ns, guest_allocations, host_allocations } in results {
        let pairs = || rounds_ns.iter().zip(base_ns);
        let ratio = median(pairs().map(|(ns, base_ns)| ns / base_ns).collect());
        let more_ns = median(pairs().map(|(ns, base_ns)| ns - base_ns).collect());
        let least_ns = rounds_ns.iter().copied().fold(f64::INFINITY, f64::min);
        let most_ns = rounds_ns.iter().copied().fold(0.0, f64::max);
        let ns = median(rounds_ns.clone());
        let _ = writeln!(
            text,
            "| {label} | {ns:.0} | {least_ns:.0} to {most_ns:.0} | {ratio:.2}x | {more_ns:+.0} | {guest_allocations:.1} | {host_allocations:.1} |",
        );
    }
    text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.len() % 2) {
        (None, _) => f64::NAN,
        (Some(middle), 1) => *middle,
        (Some(above), _) => (values[values.len() / 2 - 1] + above) / 2.0,
    }
}
