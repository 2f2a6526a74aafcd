BEGIN TRANSACTION;
CREATE TABLE captures (
	id INTEGER NOT NULL, 
	visit_id INTEGER NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	file VARCHAR NOT NULL, 
	site VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	n VARCHAR NOT NULL, 
	preparation VARCHAR NOT NULL, 
	device VARCHAR NOT NULL, 
	um_per_px DOUBLE, 
	scale_source VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_captures PRIMARY KEY (id), 
	CONSTRAINT uq_captures_visit_id_site_field_n UNIQUE (visit_id, site, field, n), 
	CONSTRAINT fk_captures_visit_id FOREIGN KEY(visit_id) REFERENCES visits (id), 
	CONSTRAINT uq_captures_sha256 UNIQUE (sha256)
);
INSERT INTO "captures" VALUES(1,1,'0cc1aeb18e83303d6965498100efa7a8f30d2b993e90ebe54e882e9384758d96','vertex_1_1.png','vertex','1','1','none','',10.0,'option','2026-11-21 17:41:39.000000');
INSERT INTO "captures" VALUES(2,2,'cfc24a23a9683b6223fa046cf3ca0730169b8c2ada66090fa730c7ac0d49baa6','vertex_1_1.png','vertex','1','1','none','',10.0,'option','2026-11-21 17:41:39.000000');
CREATE TABLE patients (
	id VARCHAR NOT NULL, 
	synthetic BOOLEAN NOT NULL, 
	aa_type VARCHAR NOT NULL, 
	sex VARCHAR NOT NULL, 
	birth_year INTEGER, 
	onset VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_patients PRIMARY KEY (id)
);
INSERT INTO "patients" VALUES('P001',0,'totalis','',NULL,'2011','2026-11-21 17:41:38.000000');
CREATE TABLE pictures (
	capture_id INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	jpeg BLOB NOT NULL, 
	CONSTRAINT pk_pictures PRIMARY KEY (capture_id), 
	CONSTRAINT fk_pictures_capture_id FOREIGN KEY(capture_id) REFERENCES captures (id)
);
INSERT INTO "pictures" VALUES(1,80,60,X'FFD8FFE000104A46494600010100000100010000FFDB0043000604040504040605050506060607090E0909080809120D0D0A0E1512161615121414171A211C17181F1914141D271D1F2223252525161C292C28242B21242524FFDB00430106060609080911090911241814182424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242424FFC0001108003C005003012200021101031101FFC4001F0000010501010101010100000000000000000102030405060708090A0BFFC400B5100002010303020403050504040000017D01020300041105122131410613516107227114328191A1082342B1C11552D1F02433627282090A161718191A25262728292A3435363738393A434445464748494A535455565758595A636465666768696A737475767778797A838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE1E2E3E4E5E6E7E8E9EAF1F2F3F4F5F6F7F8F9FAFFC4001F0100030101010101010101010000000000000102030405060708090A0BFFC400B51100020102040403040705040400010277000102031104052131061241510761711322328108144291A1B1C109233352F0156272D10A162434E125F11718191A262728292A35363738393A434445464748494A535455565758595A636465666768696A737475767778797A82838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE2E3E4E5E6E7E8E9EAF2F3F4F5F6F7F8F9FAFFDA000C03010002110311003F00E6E38D228D638D151100555518000E800A5A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A0028A28A00FFFD9');
INSERT INTO "pictures" VALUES(2,80,60,X'FFD8FFE000104A46494600010100000100010000FFDB0043000604040504040605050506060607090E0909080809120D0D0A0E1512161615121414171A211C17181F1914141D271D1F2223252525161C292C28242B21242524FFDB00430106060609080911090911241814182424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242424FFC0001108003C005003012200021101031101FFC4001F0000010501010101010100000000000000000102030405060708090A0BFFC400B5100002010303020403050504040000017D01020300041105122131410613516107227114328191A1082342B1C11552D1F02433627282090A161718191A25262728292A3435363738393A434445464748494A535455565758595A636465666768696A737475767778797A838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE1E2E3E4E5E6E7E8E9EAF1F2F3F4F5F6F7F8F9FAFFC4001F0100030101010101010101010000000000000102030405060708090A0BFFC400B51100020102040403040705040400010277000102031104052131061241510761711322328108144291A1B1C109233352F0156272D10A162434E125F11718191A262728292A35363738393A434445464748494A535455565758595A636465666768696A737475767778797A82838485868788898A92939495969798999AA2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE2E3E4E5E6E7E8E9EAF2F3F4F5F6F7F8F9FAFFDA000C03010002110311003F00E691163454450A8A301546001E82968A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2800A28A2803FFD9');
CREATE TABLE readings (
	id INTEGER NOT NULL, 
	capture_id INTEGER NOT NULL, 
	author VARCHAR NOT NULL, 
	model_name VARCHAR NOT NULL, 
	model_sha256 VARCHAR NOT NULL, 
	vellus_cutoff_um DOUBLE NOT NULL, 
	reading VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_readings PRIMARY KEY (id), 
	CONSTRAINT fk_readings_capture_id FOREIGN KEY(capture_id) REFERENCES captures (id)
);
INSERT INTO "readings" VALUES(1,1,'model','made','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',30.0,'{
 "schema": "trichotrack.reading/1",
 "file": "vertex_1_1.png",
 "sha256": "0cc1aeb18e83303d6965498100efa7a8f30d2b993e90ebe54e882e9384758d96",
 "width": 80,
 "height": 60,
 "scale": {
  "um_per_px": 10.0,
  "source": "option"
 },
 "area_cm2": 0.0048,
 "quality": {
  "ok": true,
  "flags": []
 },
 "author": "model",
 "software": "trichotrack test",
 "signs": {
  "black_dot": {
   "status": "counted",
   "reason": null,
   "count": 2,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 416.6666666666667,
   "presence": null
  },
  "broken_hair": {
   "status": "counted",
   "reason": null,
   "count": 2,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 416.6666666666667,
   "presence": null
  },
  "tapering_hair": {
   "status": "counted",
   "reason": null,
   "count": 2,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 416.6666666666667,
   "presence": null
  },
  "short_vellus_hair": {
   "status": "counted",
   "reason": null,
   "count": 2,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 416.6666666666667,
   "presence": null
  },
  "terminal_hair": {
   "status": "counted",
   "reason": null,
   "count": 2,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 416.6666666666667,
   "presence": null
  }
 },
 "objects": [
  {
   "id": "black_dot0",
   "sign": "black_dot",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "black_dot1",
   "sign": "black_dot",
   "x": 11.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "broken_hair0",
   "sign": "broken_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "broken_hair1",
   "sign": "broken_hair",
   "x": 11.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "tapering_hair0",
   "sign": "tapering_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "tapering_hair1",
   "sign": "tapering_hair",
   "x": 11.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "short_vellus_hair0",
   "sign": "short_vellus_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "short_vellus_hair1",
   "sign": "short_vellus_hair",
   "x": 11.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "terminal_hair0",
   "sign": "terminal_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "terminal_hair1",
   "sign": "terminal_hair",
   "x": 11.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  }
 ],
 "model": {
  "name": "made",
  "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "spec": 1,
  "validated": false,
  "notice": "Made model: nothing it says is true."
 },
 "corrects": null,
 "warnings": [],
 "scalp_share": null
}','2026-11-21 17:41:39.000000');
INSERT INTO "readings" VALUES(2,2,'model','made','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',30.0,'{
 "schema": "trichotrack.reading/1",
 "file": "vertex_1_1.png",
 "sha256": "cfc24a23a9683b6223fa046cf3ca0730169b8c2ada66090fa730c7ac0d49baa6",
 "width": 80,
 "height": 60,
 "scale": {
  "um_per_px": 10.0,
  "source": "option"
 },
 "area_cm2": 0.0048,
 "quality": {
  "ok": true,
  "flags": []
 },
 "author": "model",
 "software": "trichotrack test",
 "signs": {
  "black_dot": {
   "status": "counted",
   "reason": null,
   "count": 1,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 208.33333333333334,
   "presence": null
  },
  "broken_hair": {
   "status": "counted",
   "reason": null,
   "count": 1,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 208.33333333333334,
   "presence": null
  },
  "tapering_hair": {
   "status": "counted",
   "reason": null,
   "count": 1,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 208.33333333333334,
   "presence": null
  },
  "short_vellus_hair": {
   "status": "counted",
   "reason": null,
   "count": 1,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 208.33333333333334,
   "presence": null
  },
  "terminal_hair": {
   "status": "counted",
   "reason": null,
   "count": 1,
   "estimate": null,
   "reader_interval": null,
   "density_per_cm2": 208.33333333333334,
   "presence": null
  }
 },
 "objects": [
  {
   "id": "black_dot0",
   "sign": "black_dot",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "broken_hair0",
   "sign": "broken_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "tapering_hair0",
   "sign": "tapering_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "short_vellus_hair0",
   "sign": "short_vellus_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  },
  {
   "id": "terminal_hair0",
   "sign": "terminal_hair",
   "x": 10.0,
   "y": 20.0,
   "tip_x": null,
   "tip_y": null,
   "root_width_um": null,
   "tip_width_um": null,
   "score": null
  }
 ],
 "model": {
  "name": "made",
  "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "spec": 1,
  "validated": false,
  "notice": "Made model: nothing it says is true."
 },
 "corrects": null,
 "warnings": [],
 "scalp_share": null
}','2026-11-21 17:41:39.000000');
CREATE TABLE record_info (
	schema_version INTEGER NOT NULL, 
	created_by VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_record_info PRIMARY KEY (schema_version)
);
INSERT INTO "record_info" VALUES(1,'trichotrack 0.1.0','2026-11-21 17:41:38.000000');
CREATE TABLE reviews (
	id INTEGER NOT NULL, 
	reading_id INTEGER NOT NULL, 
	author VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_reviews PRIMARY KEY (id), 
	CONSTRAINT fk_reviews_reading_id FOREIGN KEY(reading_id) REFERENCES readings (id)
);
INSERT INTO "reviews" VALUES(1,1,'A. Kim','2026-11-21 17:41:39.000000');
CREATE TABLE salt (
	id INTEGER NOT NULL, 
	patient_id VARCHAR NOT NULL, 
	date DATE NOT NULL, 
	total DOUBLE NOT NULL, 
	top DOUBLE, 
	back DOUBLE, 
	"left" DOUBLE, 
	"right" DOUBLE, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_salt PRIMARY KEY (id), 
	CONSTRAINT uq_salt_patient_id_date UNIQUE (patient_id, date), 
	CONSTRAINT fk_salt_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);
INSERT INTO "salt" VALUES(1,'P001','2026-03-04',62.5,NULL,NULL,NULL,NULL,'2026-11-21 17:41:38.000000');
CREATE TABLE treatments (
	id INTEGER NOT NULL, 
	patient_id VARCHAR NOT NULL, 
	drug VARCHAR NOT NULL, 
	dose VARCHAR NOT NULL, 
	unit VARCHAR NOT NULL, 
	route VARCHAR NOT NULL, 
	start VARCHAR NOT NULL, 
	"end" VARCHAR NOT NULL, 
	stop_reason VARCHAR NOT NULL, 
	response VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_treatments PRIMARY KEY (id), 
	CONSTRAINT uq_treatments_patient_id_drug_dose_unit_route_start UNIQUE (patient_id, drug, dose, unit, route, start), 
	CONSTRAINT fk_treatments_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);
INSERT INTO "treatments" VALUES(1,'P001','drug A','4','mg/day','','2026-01','','','','2026-11-21 17:41:38.000000');
CREATE TABLE visits (
	id INTEGER NOT NULL, 
	patient_id VARCHAR NOT NULL, 
	date DATE NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_visits PRIMARY KEY (id), 
	CONSTRAINT uq_visits_patient_id_date UNIQUE (patient_id, date), 
	CONSTRAINT fk_visits_patient_id FOREIGN KEY(patient_id) REFERENCES patients (id)
);
INSERT INTO "visits" VALUES(1,'P001','2026-03-04','2026-11-21 17:41:39.000000');
INSERT INTO "visits" VALUES(2,'P001','2026-06-01','2026-11-21 17:41:39.000000');
CREATE INDEX ix_visits_patient_id ON visits (patient_id);
CREATE INDEX ix_treatments_patient_id ON treatments (patient_id);
CREATE INDEX ix_salt_patient_id ON salt (patient_id);
CREATE INDEX ix_captures_visit_id ON captures (visit_id);
CREATE INDEX ix_readings_capture_id ON readings (capture_id);
CREATE INDEX ix_reviews_reading_id ON reviews (reading_id);
COMMIT;
