//! The rows of the lease table, in pages that a snapshot shares.
//!
//! Owns the pages. It may not know what a row means. A clone copies one pointer a page; a page that is
//! shared with a clone is copied by the first change to it, so that neither taking a snapshot nor the
//! first renewal after it costs time in proportion to the registry.

use std::sync::Arc;

use super::lease::Row;

/// Rows in a page: 16 KiB, copied in about a microsecond.
const PAGE_ROWS: usize = 512;

type Page = [Row; PAGE_ROWS];

/// Rows by slot, dense from 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pages: Vec<Arc<Page>>,
    /// Rows in use; what the last page holds behind them is free.
    len: usize,
}

impl Rows {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The row of `slot`, if there is one.
    pub(super) fn get(&self, slot: u32) -> Option<&Row> {
        let slot = slot as usize;
        let page = self.pages.get(slot / PAGE_ROWS)?;
        (slot < self.len).then(|| &page[slot % PAGE_ROWS])
    }

    /// The row of `slot` to change it, if there is one.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Row> {
        let slot = slot as usize;
        if slot >= self.len {
            return None;
        }
        let page = self.pages.get_mut(slot / PAGE_ROWS)?;
        Some(&mut Arc::make_mut(page)[slot % PAGE_ROWS])
    }

    /// Adds a row behind the last.
    pub(super) fn push(&mut self, row: Row) {
        if self.len.is_multiple_of(PAGE_ROWS) {
            self.pages.push(Arc::new([Row::free(0); PAGE_ROWS]));
        }
        self.len += 1;
        if let Some(page) = self.pages.last_mut() {
            Arc::make_mut(page)[(self.len - 1) % PAGE_ROWS] = row;
        }
    }

    /// All of them, in slot order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> + Send {
        self.pages
            .iter()
            .flat_map(|page| page.iter())
            .take(self.len)
    }

    /// All of them to change, in slot order. Copies every shared page.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        let pages = self.pages.iter_mut();
        pages
            .flat_map(|page| Arc::make_mut(page).iter_mut())
            .take(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw_and_shares_what_did_not_change() {
        let mut rows = Rows::default();
        let count = 3 * PAGE_ROWS as u32 + 7;
        (0..count).for_each(|slot| rows.push(Row::free(slot)));
        let seen = rows.clone();
        rows.get_mut(PAGE_ROWS as u32).unwrap().generation = 99;
        let generations = |rows: &Rows| rows.iter().map(|row| row.generation).collect::<Vec<_>>();
        assert_eq!(generations(&seen), (0..count).collect::<Vec<_>>());
        assert_eq!(rows.get(PAGE_ROWS as u32).unwrap().generation, 99);
        let shared = seen.pages.iter().zip(&rows.pages);
        let shared = shared.filter(|(left, right)| Arc::ptr_eq(left, right));
        assert_eq!(shared.count(), 3, "of four pages, one was changed");
    }

    #[test]
    fn there_is_nothing_behind_the_last_row() {
        let mut rows = Rows::default();
        assert!(rows.get(0).is_none());
        rows.push(Row::free(1));
        assert!(rows.get(1).is_none() && rows.get_mut(1).is_none());
        assert_eq!((rows.len(), rows.iter().count()), (1, 1));
    }
}
