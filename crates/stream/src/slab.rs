//! Values in places that are used again.

/// Values, each at a place of its own for as long as it is there. A place that is given back is taken again first, so
/// that places stay small numbers.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    vacant: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), vacant: Vec::new() }
    }

    /// Puts a value in, and gives its place.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(place) = self.vacant.pop()
            && let Some(slot) = self.places.get_mut(place as usize)
        {
            *slot = Some(value);
            return place;
        }
        // Limits above are far below so many.
        let place = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(Some(value));
        place
    }

    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        self.places.get(place as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    pub(crate) fn remove(&mut self, place: u32) -> Option<T> {
        let value = self.places.get_mut(place as usize)?.take()?;
        self.vacant.push(place);
        Some(value)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }
}
