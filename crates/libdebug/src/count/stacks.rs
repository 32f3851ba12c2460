//! Instructions by the functions that called each other: what flame graphs are made of.

use std::collections::HashMap;

/// A function that was called from where its parent says.
#[derive(Debug)]
struct Node {
    parent: u32,
    name: u32,
    depth: u32,
    count: u64,
}

const ROOT: u32 = 0;
/// What is called from deeper down is counted where it is called: a recursion without end shall not take memory without end.
const DEEPEST: u32 = 500;

/// All stacks that were seen, as a tree of functions, and how many instructions were executed in each.
#[derive(Debug)]
pub(super) struct CallTree {
    nodes: Vec<Node>,
    children: HashMap<(u32, u32), u32>,
}

impl Default for CallTree {
    fn default() -> Self {
        Self { nodes: vec![Node { parent: ROOT, name: 0, depth: 0, count: 0 }], children: HashMap::new() }
    }
}

impl CallTree {
    /// The function of this name, called from `parent`.
    fn child(&mut self, parent: u32, name: u32) -> u32 {
        let next = self.nodes.len() as u32;
        let depth = self.nodes.get(parent as usize).map_or(0, |node| node.depth) + 1;
        if depth > DEEPEST {
            return parent;
        }
        let node = *self.children.entry((parent, name)).or_insert(next);
        if node == next {
            self.nodes.push(Node { parent, name, depth, count: 0 });
        }
        node
    }

    fn add(&mut self, node: u32, count: u64) {
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.count += count;
        }
    }

    /// The names of each stack in which instructions were executed, outermost first, and how many those were; in the
    /// order in which they were seen.
    pub(super) fn stacks(&self) -> impl Iterator<Item = (Vec<u32>, u64)> + '_ {
        let counted = (1..self.nodes.len()).filter(|&node| self.nodes[node].count > 0);
        counted.map(|node| (self.names_to(node), self.nodes[node].count))
    }

    fn names_to(&self, mut node: usize) -> Vec<u32> {
        let mut names = Vec::new();
        while node != ROOT as usize {
            names.push(self.nodes[node].name);
            node = self.nodes[node].parent as usize;
        }
        names.reverse();
        names
    }
}

/// A call that has not returned.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// The function that has called, and its name where it was counted in.
    caller: u32,
    within: Option<(u32, u32)>,
    /// Where its return address lies: the call is over once the stack pointer is above.
    slot: u64,
}

/// The calls that one thread is in.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    /// What all of the thread's stacks begin with.
    root: u32,
    /// Where the last instruction was counted, and its function's name.
    last: Option<(u32, u32)>,
}

impl Calls {
    /// The thread belongs to a program of this name, and begins anew.
    pub(super) fn begin(&mut self, tree: &mut CallTree, program: u32) {
        *self = Self { root: tree.child(ROOT, program), ..Self::default() };
    }

    /// Instructions were executed in a function.
    pub(super) fn count(&mut self, tree: &mut CallTree, name: u32, count: u64) {
        let node = match self.last {
            Some((node, last)) if last == name => node,
            _ => tree.child(self.calls.last().map_or(self.root, |call| call.caller), name),
        };
        self.last = Some((node, name));
        tree.add(node, count);
    }

    /// The last instruction was a call, or a signal's handler has begun: its return address lies at `slot`.
    pub(super) fn call(&mut self, slot: u64) {
        let caller = self.last.map_or(self.root, |(node, _)| node);
        self.calls.push(Call { caller, within: self.last, slot });
        self.last = None;
    }

    /// The name of the function that the thread is in, if anything of it was counted.
    pub(super) fn function(&self) -> Option<u32> {
        self.last.map(|(_, name)| name)
    }

    /// Whether the stack pointer is below the return address of the call that the thread is in.
    pub(super) fn is_within(&self, stack: u64) -> bool {
        self.calls.last().is_none_or(|call| stack < call.slot)
    }

    /// How many calls the thread is in.
    #[cfg(test)]
    pub(super) fn depth(&self) -> usize {
        self.calls.len()
    }

    /// The stack pointer may have left functions behind: a return, a jump to another stack frame. Answers whether it has.
    pub(super) fn leave(&mut self, stack: u64) -> bool {
        let before = self.calls.len();
        while let Some(call) = self.calls.pop_if(|call| call.slot < stack) {
            self.last = call.within;
        }
        self.calls.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: u32 = 0;
    const MAIN: u32 = 1;
    const WORK: u32 = 2;
    const LEAF: u32 = 3;

    fn found(tree: &CallTree) -> Vec<(Vec<u32>, u64)> {
        tree.stacks().collect()
    }

    #[test]
    fn callees_lie_above_their_callers() {
        let (mut tree, mut calls) = (CallTree::default(), Calls::default());
        calls.begin(&mut tree, PROGRAM);
        calls.count(&mut tree, MAIN, 5);
        calls.call(0x1000);
        calls.count(&mut tree, WORK, 2);
        calls.call(0xf00);
        calls.count(&mut tree, LEAF, 7);
        calls.leave(0xf08);
        calls.count(&mut tree, WORK, 1);
        calls.leave(0x1008);
        calls.count(&mut tree, MAIN, 1);
        let expected =
            [(vec![PROGRAM, MAIN], 6), (vec![PROGRAM, MAIN, WORK], 3), (vec![PROGRAM, MAIN, WORK, LEAF], 7)];
        assert_eq!(found(&tree), expected);
    }

    #[test]
    fn a_recursion_is_as_deep_as_it_is() {
        let (mut tree, mut calls) = (CallTree::default(), Calls::default());
        calls.begin(&mut tree, PROGRAM);
        for depth in 0..3 {
            calls.call(0x1000 - depth * 16);
            calls.count(&mut tree, WORK, 1);
        }
        assert_eq!(
            found(&tree).last(),
            Some(&(vec![PROGRAM, WORK, WORK, WORK], 1)),
            "each call is a frame of its own"
        );
    }

    #[test]
    fn the_deepest_are_counted_where_the_tree_ends() {
        let (mut tree, mut calls) = (CallTree::default(), Calls::default());
        calls.begin(&mut tree, PROGRAM);
        for depth in 0..10_000 {
            calls.call(0x10_0000 - depth * 16);
            calls.count(&mut tree, WORK, 1);
        }
        let deepest = found(&tree).into_iter().max_by_key(|(names, _)| names.len());
        assert_eq!(deepest.map(|(names, count)| (names.len(), count)), Some((DEEPEST as usize, 9_502)));
        assert_eq!(found(&tree).iter().map(|(_, count)| count).sum::<u64>(), 10_000);
    }

    #[test]
    fn a_jump_over_frames_leaves_all_of_them() {
        let (mut tree, mut calls) = (CallTree::default(), Calls::default());
        calls.begin(&mut tree, PROGRAM);
        calls.count(&mut tree, MAIN, 1);
        for slot in [0x1000, 0xf00, 0xe00] {
            calls.call(slot);
            calls.count(&mut tree, WORK, 1);
        }
        calls.leave(0x1008);
        calls.count(&mut tree, LEAF, 4);
        assert_eq!(
            found(&tree).last(),
            Some(&(vec![PROGRAM, LEAF], 4)),
            "a tail call has its caller's place"
        );
    }
}
