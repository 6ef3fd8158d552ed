-- columns: where the last good read found them: "followers=C,views=H"; '' until a pass has read it again.
ALTER TABLE worksheet_reads ADD COLUMN columns TEXT NOT NULL DEFAULT '';
